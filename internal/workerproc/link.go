package workerproc

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// hello tells the master which versions of the protocol this worker speaks. Nothing waits
// for the answer. If the master refuses, it says why and closes the link.
func (w *Worker) hello() {
	_ = w.send(wire.Hello, wire.HelloBody{
		Min: wire.MinVersion, Max: wire.Version, PID: os.Getpid(),
		Moves: handover.Supported, Pings: true, Counts: true, Helps: true, Turns: true, Spares: handover.Supported,
	})
}

// send sends a frame without descriptors. body may be nil.
func (w *Worker) send(t wire.Type, body any) error {
	f := wire.Frame{Type: t}
	if body != nil {
		f.Body = wire.Body(body)
	}
	if err := w.link.Send(f); err != nil {
		return fmt.Errorf("worker %d: %w: %w", w.id.ID, ipc.ErrDisconnected, err)
	}
	return nil
}

// readLink reads the link until it is closed, or until another goroutine reads on because
// this one is busy with the program's functions. The link is closed when the master is gone
// or refuses this worker.
func (w *Worker) readLink() {
	h := window.NewHandoff(w.readLink)
	for {
		err := w.receive()
		if err != nil {
			w.exitOrphan(err)
			return
		}
		if w.inbox.Claim() && !h.Do(w.inbox.Deliver) {
			return
		}
	}
}

// exitOrphan drains a worker without a master and ends the process with status 0. No
// master is left that would end it, and main may not return.
func (w *Worker) exitOrphan(err error) {
	w.orphaned.Store(true)
	w.markDisconnected(err)
	w.link.CloseReceived()
	_ = w.link.Close() // its error is err
	if !errors.Is(err, io.EOF) {
		w.report("leaves: %v", err)
	}
	w.startDrain()
	<-w.drained
	w.exit(0)
}

// receive waits for frames and handles them.
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

// handle handles a frame of the master. It owns p's descriptors unless it fails.
func (w *Worker) handle(p link.Packet) error {
	switch p.Type {
	case wire.Socket, wire.Failed, wire.Inherit:
		return w.answered(p)
	case wire.Message:
		w.inbox.Put(p)
		return nil
	case wire.Broadcast:
		w.inbox.Offer(p)
		return nil
	case wire.Leads:
		return w.leads(p)
	case wire.Disconnect:
		return w.disconnect(p)
	case wire.Check:
		return w.check(p)
	case wire.Count:
		return w.count(p)
	case wire.Welcome:
		return w.welcome(p)
	case wire.Refuse:
		return refused(p)
	case wire.Tickets:
		return w.ticketKeys(p)
	case wire.HandOver:
		return w.handOver(p)
	case wire.Spare:
		return w.spare(p)
	case wire.Help:
		return w.help(p)
	case wire.StandBy:
		return w.standBy(p)
	case wire.Receive:
		return w.receiveConns(p)
	case wire.Shared, wire.Status:
		return w.shared(p)
	case wire.GiveState:
		return w.giveState(p)
	}
	return fmt.Errorf("%w: %v from a master", wire.ErrType, p.Type)
}

// welcome stores the durations that the master has sent.
func (w *Worker) welcome(p link.Packet) error {
	var body wire.WelcomeBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	w.times.Store(&body)
	p.Close()
	return nil
}

// refused returns the reason why the master refuses this worker.
func refused(p link.Packet) error {
	var body wire.RefuseBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	return fmt.Errorf("refused by the master: %s", body.Reason)
}
