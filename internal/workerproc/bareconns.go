package workerproc

import (
	"net"
	"runtime"
	"sync"
	"syscall"
	"weak"

	"github.com/rota-go/rota/internal/conn"
)

// tcpListener and unixListener are what a program gets for a listener of package net. They
// have all methods of *net.TCPListener and *net.UnixListener.
type (
	tcpListener struct {
		bareListener[net.TCPConn, *net.TCPConn]
	}
	unixListener struct {
		bareListener[net.UnixConn, *net.UnixConn]
	}
)

// bareListener is a listener that can also return the connections of package net. It is a
// source of the drain, which waits for them.
type bareListener[T any, P bareConn[T]] struct {
	*listener
	bare bareConns[T, P]
}

func (l *bareListener[T, P]) closeSource() {
	l.listener.closeSource()
	l.endConns(l.bare.all)
	l.bare.closeAtEnd(l.worker.drain.left)
}

func (l *bareListener[T, P]) busy() bool { return l.bare.anyOpen() }

// acceptBare accepts a connection and returns it as it is.
func (l *bareListener[T, P]) acceptBare() (P, error) {
	c, err := l.next(func(inner net.Conn) net.Conn {
		l.bare.add(inner.(P))
		return inner
	})
	if err != nil {
		return nil, err
	}
	if bare, ok := c.(P); ok {
		return bare, nil
	}
	bare := conn.Inner(c).(P) // it has moved here from a worker that has used Accept
	l.bare.add(bare)
	conn.Release(c)
	return bare, nil
}

// AcceptTCP is Accept for programs that need a *net.TCPConn. The drain waits for the
// connection until the program has closed it or the grace ends, and can do no more: the
// client isn't told to reconnect (see rota.Listen).
func (l *tcpListener) AcceptTCP() (*net.TCPConn, error) { return l.acceptBare() }

// AcceptUnix is AcceptTCP for unix sockets.
func (l *unixListener) AcceptUnix() (*net.UnixConn, error) { return l.acceptBare() }

// SetUnlinkOnClose is that of *net.UnixListener for a socket of this worker alone. The file
// of a shared socket is the master's, and the call has no effect.
func (l *unixListener) SetUnlinkOnClose(unlink bool) {
	if ln, ok := l.Listener.(*net.UnixListener); ok && l.id == 0 {
		ln.SetUnlinkOnClose(unlink)
	}
}

// bareConns are the connections that the program has as package net's types. Nothing tells
// when the program closes one; a drain asks each. One that the program has lost is closed
// by package net, and no longer among them.
type bareConns[T any, P bareConn[T]] struct {
	mu   sync.Mutex
	open map[weak.Pointer[T]]bool
}

// bareConn is a *net.TCPConn or a *net.UnixConn.
type bareConn[T any] interface {
	*T
	readCloser
	syscall.Conn
}

func (b *bareConns[T, P]) add(c P) {
	key := weak.Make((*T)(c))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[weak.Pointer[T]]bool)
	}
	b.open[key] = true
	runtime.AddCleanup((*T)(c), b.remove, key)
}

func (b *bareConns[T, P]) remove(key weak.Pointer[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, key)
}

// anyOpen reports whether the program has a connection that it has not closed.
func (b *bareConns[T, P]) anyOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.open {
		if c := key.Value(); c != nil && isOpen(P(c)) {
			return true
		}
		delete(b.open, key)
	}
	return false
}

// isOpen reports whether c, which was open once, has not been closed.
func isOpen(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// closeAtEnd closes the connections that are open when the worker has left. It returns at once.
func (b *bareConns[T, P]) closeAtEnd(left <-chan struct{}) {
	go func() {
		<-left
		for _, c := range b.all() {
			_ = c.Close() // the program may have
		}
	}()
}

// all returns the connections, among them some that the program has closed.
func (b *bareConns[T, P]) all() (all []endable) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.open {
		if c := key.Value(); c != nil {
			all = append(all, bareEnd{P(c)})
		}
	}
	return all
}
