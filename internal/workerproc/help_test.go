package workerproc

import (
	"net"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// helper is a worker with a listener, and the queue of another slot.
type helper struct {
	*bench
	t        *testing.T
	listener net.Listener
	queue    net.Listener
}

func newHelper(t *testing.T) *helper {
	h := &helper{bench: &bench{link: newFakeLink()}, t: t, queue: listenTCP(t)}
	h.Worker = newWorker(link.Identity{ID: 7, Slot: 1, Generation: 3}, h.link)
	l, err := h.trackListener(&listener{Listener: listenTCP(t), id: 4}, bind.Request{})
	if err != nil {
		t.Fatal(err)
	}
	h.listener = l
	t.Cleanup(func() { l.Close() })
	return h
}

func listenTCP(t *testing.T) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// dial has n clients wait in the queue.
func (h *helper) dial(n int) {
	for range n {
		c, err := net.Dial("tcp", h.queue.Addr().String())
		if err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { c.Close() })
	}
}

// ask has the worker help socket id, and waits until it says that it has.
func (h *helper) ask(id int) {
	h.t.Helper()
	fd, err := descriptor.DupOf(h.queue)
	if err != nil {
		h.t.Skip(err) // not here
	}
	before := h.link.count(wire.Helped)
	p := link.Packet{Frame: wire.Frame{Type: wire.Help, Body: wire.Body(wire.HelpBody{ID: id})}, Files: []*descriptor.FD{fd}}
	if err := h.help(p); err != nil {
		h.t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); h.link.count(wire.Helped) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatal("the worker doesn't say that it has helped")
		}
	}
}

// waits returns how many connections wait in the queue.
func (h *helper) waits() (n int) {
	for {
		_ = h.queue.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond))
		c, err := h.queue.Accept()
		if err != nil {
			return n
		}
		c.Close()
		n++
	}
}

// accept accepts for the program until the listener is closed, and returns what it gets.
func (h *helper) accept() <-chan net.Conn {
	got := make(chan net.Conn, 100)
	go func() {
		for c, err := h.listener.Accept(); err == nil; c, err = h.listener.Accept() {
			got <- c
		}
	}()
	return got
}

// The program's Accept returns what waits in the queue of another slot, as connections of the
// drain.
func TestHelp(t *testing.T) {
	h := newHelper(t)
	got := h.accept()
	h.dial(20)
	h.ask(4)
	for range 20 {
		select {
		case c := <-got:
			if _, ok := c.(interface{ CloseWrite() error }); !ok {
				t.Errorf("a connection without the methods of its kind: %T", c)
			}
			defer c.Close()
		case <-time.After(10 * time.Second):
			t.Fatal("a connection is missing")
		}
	}
	if n := len(h.drain.openConns()); n != 20 {
		t.Errorf("the drain knows of %d connections", n)
	}
	if n := h.drain.accepts.Load(); n != 1 {
		t.Errorf("the drain waits for %d Accepts, want that of the program", n)
	}
}

// What a worker can't give to its program stays in the queue, for others.
func TestHelpRefused(t *testing.T) {
	for name, set := range map[string]func(h *helper) (id int){
		"the program isn't in Accept": func(h *helper) int { return 4 },
		"another socket":              func(h *helper) int { h.accept(); return 5 },
		"the worker drains": func(h *helper) int {
			h.accept()
			h.drain.draining.Store(true)
			return 4
		},
		"the listener is closed": func(h *helper) int { h.listener.Close(); return 4 },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHelper(t)
			id := set(h)
			h.dial(3)
			h.ask(id)
			if n := h.waits(); n != 3 {
				t.Errorf("%d of 3 wait", n)
			}
			h.drain.draining.Store(false)
		})
	}
}
