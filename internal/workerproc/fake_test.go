package workerproc

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// fakeLink is the master as the tests play it.
type fakeLink struct {
	mu     sync.Mutex
	sent   []wire.Frame
	onSend func(wire.Frame)
	frames chan link.Packet // to the worker
	gone   chan struct{}    // the master has died
	half   bool             // CloseWrite was called
}

func newFakeLink() *fakeLink {
	return &fakeLink{frames: make(chan link.Packet, 16), gone: make(chan struct{})}
}

func (l *fakeLink) Send(f wire.Frame, _ ...*descriptor.FD) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.half {
		return link.ErrClosed
	}
	l.sent = append(l.sent, f)
	if l.onSend != nil {
		l.onSend(f)
	}
	return nil
}

func (l *fakeLink) Receive() ([]link.Packet, error) {
	select {
	case p := <-l.frames:
		return []link.Packet{p}, nil
	case <-l.gone:
		return nil, io.EOF
	}
}

func (l *fakeLink) CloseReceived() {}
func (l *fakeLink) Close() error   { return nil }

func (l *fakeLink) CloseWrite(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.half = true
	return nil
}

func (l *fakeLink) count(t wire.Type) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.sent {
		if f.Type == t {
			n++
		}
	}
	return n
}

func (l *fakeLink) halfClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.half
}

// bench is a worker with a fake master, in a bubble of synctest.
type bench struct {
	*Worker
	link   *fakeLink
	exited chan int
}

// inBubble runs f with a worker whose link is read. At the end the master dies, so that
// nothing is left of the bubble.
func inBubble(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{link: newFakeLink(), exited: make(chan int, 1)}
		b.Worker = newWorker(link.Identity{ID: 7, Slot: 1, Generation: 3}, b.link)
		b.exit = func(status int) { b.exited <- status }
		go b.readLink()
		f(t, b)
		select {
		case <-b.link.gone:
		default:
			close(b.link.gone)
		}
		synctest.Wait()
		time.Sleep(time.Hour) // for whatever waits for the grace
		for s := range b.drain.sources {
			if l, ok := s.(*listener); ok {
				l.Close() // an orphan's Accept doesn't return by itself
			}
		}
	})
}

func (b *bench) receive(t wire.Type, body any) {
	p := link.Packet{Frame: wire.Frame{Type: t}}
	if body != nil {
		p.Body = wire.Body(body)
	}
	b.link.frames <- p
	synctest.Wait()
}

func (b *bench) hasLeft() bool {
	synctest.Wait()
	select {
	case <-b.Done():
		return true
	default:
		return false
	}
}

// pipeListener is a listener in memory. gap, if not nil, holds a connection between
// accept(2) and the return of Accept.
type pipeListener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
	gap    chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		if l.gap != nil {
			<-l.gap
		}
		return c, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "pipe", Err: net.ErrClosed}
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return named{"pipe", "memory"} }

// dial connects a client.
func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// accepts runs Accept until it fails, and says what became of it.
func accepts(ln net.Listener) (conns <-chan net.Conn, failed <-chan error) {
	c, f := make(chan net.Conn, 16), make(chan error, 1)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				f <- err
				return
			}
			c <- conn
		}
	}()
	return c, f
}

// tracked makes a connection whose bytes are watched, as a TCP connection's are.
func (b *bench) tracked(l *listener) (client net.Conn, c *conn) {
	client, server := net.Pipe()
	c = new(conn)
	c.init(halfPipe{server}, l.watch, false)
	b.drain.addConn(c)
	return client, c
}

// halfPipe has the method that the end of an idle connection needs.
type halfPipe struct{ net.Conn }

func (p halfPipe) CloseRead() error { return p.Close() }
