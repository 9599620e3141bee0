package workerproc

import (
	"net"

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
type bareListener[T any, P conn.BareConn[T]] struct {
	*listener
	bare conn.Bare[T, P]
}

func (l *bareListener[T, P]) closeSource() {
	l.listener.closeSource()
	l.endConns(l.bare.All)
	l.bare.CloseAfter(l.worker.drain.left)
}

func (l *bareListener[T, P]) busy() bool { return l.bare.AnyOpen() }

// acceptBare accepts a connection and returns it as it is.
func (l *bareListener[T, P]) acceptBare() (P, error) {
	c, err := l.next(func(inner net.Conn) net.Conn {
		l.bare.Add(inner.(P))
		return inner
	})
	if err != nil {
		return nil, err
	}
	if bare, ok := c.(P); ok {
		return bare, nil
	}
	bare := conn.Inner(c).(P) // it has moved here from a worker that has used Accept
	l.bare.Add(bare)
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
