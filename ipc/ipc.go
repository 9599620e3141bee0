// Package ipc is what a master and its workers say to each other on the program's
// behalf: messages, which are JSON, and with them handles: connections, listeners
// and files that the other process gets its own copy of.
//
// A worker hands a connection to its master:
//
//	err := worker.Self().Send("for you", ipc.FromConn(c))
//
// and the master takes it up in its event function:
//
//	m.Subscribe(master.Events{Message: func(w *master.Worker, msg ipc.Message) {
//		c, err := msg.Handles[0].Conn()
//		…
//	}})
//
// Both directions work alike. Messages and their handles come in the order in which
// they were sent. Nothing blocks: where the other side doesn't read, Send fails with
// [ErrQueueFull].
package ipc

import (
	"errors"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// What sending can fail with, in both directions. errors.Is finds them; packages
// master and worker have the first two under the same names.
var (
	// ErrQueueFull says that the other side doesn't read fast enough: about four
	// megabytes wait already. The message was not sent; send it again later, or drop it.
	ErrQueueFull = link.ErrQueueFull

	// ErrDisconnected says that the link between worker and master has ended, or
	// not begun.
	ErrDisconnected = errors.New("worker is disconnected")

	// ErrTooLarge says that a message is larger than MaxMessage.
	ErrTooLarge = wire.ErrTooLarge

	// ErrHandle says that a handle can't be sent, or is not what it is taken for.
	ErrHandle = errors.New("bad handle")
)

const (
	// MaxMessage is the most that a message may be as JSON, in bytes.
	MaxMessage = wire.MaxBody

	// MaxHandles is the most handles that a message may carry.
	MaxHandles = wire.MaxFDs
)
