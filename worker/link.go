package worker

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/internal/wire"
)

// hello introduces this worker. The answer comes when it comes: nothing waits for
// it, and a refusal ends the link with its reason.
func (w *Worker) hello() {
	_ = w.send(wire.Hello, wire.HelloBody{Min: wire.MinVersion, Max: wire.Version, PID: os.Getpid()})
}

// send sends a frame without descriptors. body may be nil.
func (w *Worker) send(t wire.Type, body any) error {
	f := wire.Frame{Type: t}
	if body != nil {
		f.Body = wire.Body(body)
	}
	if err := w.link.Send(f); err != nil {
		return fmt.Errorf("worker %d: %w: %w", w.id.ID, ErrDisconnected, err)
	}
	return nil
}

// read reads the link until it ends, or another goroutine reads on while this one is
// with the program. The link ends when the master is gone, or doesn't want this worker.
func (w *Worker) read() {
	h := window.NewHandoff(w.read)
	for {
		err := w.receive()
		if err != nil {
			w.orphan(err)
			return
		}
		if w.inbox.begin() && !h.Do(w.inbox.work) {
			return
		}
	}
}

// orphan is the end of a worker without a master. Nobody is left to end the process,
// so that is done here, with status 0: no orphan stays, whatever main does.
func (w *Worker) orphan(err error) {
	w.orphaned.Store(true)
	w.disconnect(err)
	w.link.CloseReceived()
	_ = w.link.Close() // its error is the one that ended it
	if !errors.Is(err, io.EOF) {
		w.complain("leaves: %v", err)
	}
	w.leave()
	<-w.left
	w.exit(0)
}

// receive waits for frames, and does what they say.
func (w *Worker) receive() error {
	packets, err := w.link.Receive()
	if err != nil {
		return err
	}
	for i, p := range packets {
		if err := w.handle(p); err != nil {
			closePackets(packets[i:])
			return err
		}
	}
	return nil
}

func closePackets(packets []link.Packet) {
	for _, p := range packets {
		p.Close()
	}
}

// handle does what a frame of the master says. It takes p's descriptors unless it
// fails.
func (w *Worker) handle(p link.Packet) error {
	switch p.Type {
	case wire.Socket, wire.Failed:
		return w.answered(p)
	case wire.Message:
		w.inbox.put(p)
		return nil
	case wire.Disconnect:
		w.leave()
	case wire.Check:
		return w.check(p)
	case wire.Welcome:
		return w.welcome(p)
	case wire.Refuse:
		return refused(p)
	default:
		return fmt.Errorf("%w: %v from a master", wire.ErrType, p.Type)
	}
	p.Close() // these carry none
	return nil
}

func (w *Worker) welcome(p link.Packet) error {
	var body wire.WelcomeBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	w.times.Store(&body)
	p.Close()
	return nil
}

func refused(p link.Packet) error {
	var body wire.RefuseBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	return fmt.Errorf("refused by the master: %s", body.Reason)
}
