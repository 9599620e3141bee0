// Package ipc is about messages between a master and its workers: values, as JSON, and
// with them handles, which are connections, listeners and files that the other process
// gets a copy of.
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
// Both directions work alike. Messages and their handles arrive in the order in which
// they were sent. Send never blocks: if the other side doesn't read, it fails with
// [ErrQueueFull].
package ipc

import (
	"errors"
	"fmt"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// Errors of sending, in both directions. errors.Is finds them. Packages master and
// worker export the first two under the same names.
var (
	// ErrQueueFull says that the other side doesn't read fast enough: about four
	// megabytes are waiting. The message was not sent; send it again later, or drop it.
	ErrQueueFull = link.ErrQueueFull

	// ErrDisconnected says that the link between worker and master is closed, or not
	// open yet.
	ErrDisconnected = errors.New("worker is disconnected")

	// ErrTooLarge says that a message is larger than MaxMessage.
	ErrTooLarge = wire.ErrTooLarge

	// ErrHandle says that a handle can't be sent, or is not of the kind asked for.
	ErrHandle = errors.New("bad handle")

	errToSend = fmt.Errorf("%w: it did not come with a message", ErrHandle)
)

const (
	// MaxMessage is the largest size of a message as JSON, in bytes.
	MaxMessage = wire.MaxBody

	// MaxHandles is the largest number of handles with a message.
	MaxHandles = wire.MaxFDs
)
