package workerproc

import (
	"fmt"
	"net"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/turn"
	"github.com/rota-go/rota/internal/wire"
)

const (
	// helpPatience is how long a worker waits for connections in the queue of another slot when
	// it has accepted those that waited, and for the program to come to Accept.
	helpPatience = 5 * time.Millisecond
	helpTick     = 100 * time.Microsecond // how often it looks whether the program has
)

// helped is a connection from the queue of another slot that the program has not accepted
// yet. Until then, or until it is closed, the drain waits for it as for an Accept.
type helped struct {
	net.Conn
	drain *drain
}

func (h helped) Close() error {
	defer h.drain.acceptEnds()
	return h.Conn.Close()
}

// help accepts what waits in the queue of another slot, whose worker doesn't, or in that of all,
// where another one was woken for it. It owns p unless it fails.
func (w *Worker) help(p link.Packet) error {
	var body wire.HelpBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if len(p.Files) > 1 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	go func() {
		if len(p.Files) == 1 {
			w.acceptFor(body.ID, p.Files[0])
		} else if l := w.drain.listener(body.ID); l != nil {
			l.look() // it is this worker's own queue, and its turn
		}
		_ = w.send(wire.Helped, nil)
	}()
	return nil
}

// standBy has a listener leave connections to other workers.
func (w *Worker) standBy(p link.Packet) error {
	var body wire.StandByBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	p.Close() // it carries no descriptors
	if l := w.drain.listener(body.ID); l != nil {
		turn.StandBy(l.Listener, body.For)
	}
	return nil
}

// look has an Accept that waits look at the queue, whoever's turn it is.
func (l *listener) look() {
	turn.StandBy(l.Listener, 0)
	l.wake()
}

// acceptFor accepts from fd, which it owns, for the listener of socket id. A worker that
// leaves, or is on trial, accepts nothing.
func (w *Worker) acceptFor(id int, fd *descriptor.FD) {
	defer fd.Close()
	l := w.drain.listener(id)
	if l == nil || w.onTrial() {
		return
	}
	queue, err := fd.Listener()
	if err != nil {
		return // out of descriptors, for example: the master asks another worker
	}
	defer queue.Close()
	tcp, ok := queue.(*net.TCPListener)
	for ok && l.acceptOne(tcp) {
	}
}

// isAwaited reports whether an Accept of the program waits for a connection, and will get the
// next one. A program that accepts no more for now would keep it waiting as the other slot does.
func (l *listener) isAwaited() bool {
	for end := time.Now().Add(helpPatience); l.accepting.Load() == 0 || l.moved.Waiting(); {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(helpTick)
	}
	return true
}

// acceptOne accepts a connection and has the program accept it. It reports false if none waits,
// the program doesn't, or the drain has begun.
func (l *listener) acceptOne(queue *net.TCPListener) bool {
	if !l.isAwaited() {
		return false
	}
	d := l.worker.drain
	d.acceptStarts()
	_ = queue.SetDeadline(time.Now().Add(helpPatience))
	if d.draining.Load() {
		d.acceptEnds()
		return false
	}
	c, err := queue.Accept()
	if err != nil {
		d.acceptEnds()
		return false
	}
	l.moved.Add(helped{c, d})
	l.wake()
	return true
}

// admitted returns what the program gets of a connection of l.moved. One that was accepted for
// another slot becomes a connection of the drain by keep.
func (l *listener) admitted(c net.Conn, keep func(net.Conn) net.Conn) net.Conn {
	h, ok := c.(helped)
	if !ok {
		return c
	}
	defer l.worker.drain.acceptEnds()
	return l.admit(h.Conn, keep)
}

// listener returns the listener of a socket of the master, nil if there is none.
func (d *drain) listener(id int) *listener {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.sources {
		if l := baseOf(s); l != nil && l.id == id && !l.isClosed() {
			return l
		}
	}
	return nil
}
