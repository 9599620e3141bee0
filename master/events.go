package master

import (
	"log/slog"

	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/ipc"
)

// Events are functions that a master calls as its workers come and go. Any may be
// nil. They run one at a time, in order, and may call anything of the master. A function
// that takes its time delays the other functions, and no worker, with one exception: when
// about a megabyte of a worker's messages waits, the worker's link is not read until
// some are handled. A panic is logged.
//
// The order for a worker is Fork, Online, Listening (once a socket), Disconnect,
// Exit; Message comes anywhere between Online and Disconnect. Every worker ends with
// exactly one Exit, also when it could not be started.
type Events struct {
	Setup      func(Config)               // at Setup, or else at the first fork
	Fork       func(*Worker)              // the process was started
	Online     func(*Worker)              // the worker has said hello
	Listening  func(*Worker, Address)     // the worker has got a socket
	Message    func(*Worker, ipc.Message) // the worker has sent a message
	Disconnect func(*Worker)              // the worker's link is closed
	Exit       func(*Worker, Exit)        // the process has ended
}

// events delivers to the subscribers of a master.
type events = delivery.Queue[Events]

func newEvents(log *slog.Logger) *events {
	lines := logline.Events{Logger: log}
	return delivery.New(delivery.Config[Events]{
		WantsMessages: func(e *Events) bool { return e.Message != nil },
		Panicked:      lines.Panicked, Dropped: lines.Dropped,
	})
}

// newSource returns the source of w's events.
func newSource(w *Worker, id int) *delivery.Source[Events] {
	return delivery.NewSource(id, func(p link.Packet) func(*Events) {
		msg := message.Received(p)
		return func(e *Events) { e.Message(w, msg) }
	})
}

// call calls one of the functions of Events, if there is one.
func call[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}
