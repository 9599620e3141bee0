package workerproc

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// fakeLink is a link whose other end is the test.
type fakeLink struct {
	mu     sync.Mutex
	sent   []wire.Frame
	onSend func(wire.Frame)
	frames chan link.Packet // to the worker
	gone   chan struct{}    // closed when the master dies
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

// last returns the last frame of a type that was sent.
func (l *fakeLink) last(t wire.Type) (last wire.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.sent {
		if f.Type == t {
			last = f
		}
	}
	return last
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
// all goroutines of the bubble end.
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
		time.Sleep(time.Hour) // longer than the grace
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

// pipeListener is a listener in memory. If gap isn't nil, Accept
// returns a connection only after it can receive from gap.
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

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Net: "pipe", Name: "memory"} }

// dial connects a client.
func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

// accepts calls Accept until it fails. It returns the connections and the error.
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

// tracked makes a connection in memory that is tracked as a TCP connection is. It returns
// the client's end, the program's end, and the drain's record of it.
func (b *bench) tracked(l *listener) (client, program net.Conn, c *conn.Tracked) {
	client, server := net.Pipe()
	program, c = conn.NewTracked(halfPipe{server}, l.conns)
	b.drain.addConn(c)
	return client, program, c
}

// halfPipe has CloseRead, which the drain calls to end an idle connection.
type halfPipe struct{ net.Conn }

func (p halfPipe) CloseRead() error { return p.Close() }
