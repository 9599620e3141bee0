package listentest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

func brokenAccepts(w *workshop) []broken {
	return []broken{
		{"Addr has port 0", "tcp/Addr", "a port that is not 0", w.listener(func(f *fake) {
			f.addr = func() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
		})},
		{"Addr is of a type of its own", "tcp/Addr", "which is not what package net has", w.listener(func(f *fake) {
			f.addr = func() net.Addr { return ownAddr{f.TCPListener.Addr()} }
		})},
		{"Addr is forgotten after Close", "tcp/AddrAfterClose", "Addr is 0.0.0.0:0 after Close", w.listener(func(f *fake) {
			f.close = func() error {
				f.addr = func() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }
				return f.TCPListener.Close()
			}
		})},
		{"the port is not the one asked for", "tcp/AddrExplicit", "Addr is 127.0.0.1:", asking(func(_, address string) string {
			host, _, _ := net.SplitHostPort(address)
			return host + ":0"
		})},
		{"every address is loopback", "tcp/AddrWildcard", "Addr has host 127.0.0.1", asking(func(_, address string) string {
			_, port, _ := net.SplitHostPort(address)
			return "127.0.0.1:" + port
		})},
		{"the port is required", "tcp/AddrEmpty", "broken", refusing("127.0.0.1:")},
		{"Accept does not wait", "tcp/AcceptBlocks", "Accept did not block", w.listener(func(f *fake) {
			f.accept = func() (net.Conn, error) { return nil, errBroken }
		})},
		{"Accept takes turns", "tcp/AcceptOrder", `want "client 0"`, w.listener(acceptsPairwise)},
		{"RemoteAddr is the listener's", "tcp/AcceptAddrs", "RemoteAddr is", w.harmed(func(c *fakeConn) { c.remote = c.LocalAddr })},
		{"AcceptTCP is refused", "tcp/AcceptTyped", "AcceptTCP or AcceptUnix: broken", w.listener(func(f *fake) {
			f.typed = func() (*net.TCPConn, error) { return nil, errBroken }
		})},
		{"one connection for two Accepts", "tcp/AcceptConcurrent", "is stuck", w.listener(acceptsDoubly)},
		{"the queue loses its first", "tcp/AcceptBacklog", "Read: ", w.listener(losesFirst)},
		{"a client that has gone is an error", "tcp/AcceptAfterResets", "Accept: broken", w.listener(func(f *fake) {
			f.accept = func() (net.Conn, error) { return nil, errBroken }
		})},
	}
}

func brokenCloses(w *workshop) []broken {
	forgetful := w.listener(func(f *fake) {
		f.accept = func() (net.Conn, error) {
			c, err := f.TCPListener.Accept()
			if err != nil {
				<-w.done
			}
			return c, err
		}
	})
	greedy := w.listener(closesItsConns)
	silent := w.listener(func(f *fake) {
		f.close = func() error { f.TCPListener.Close(); return nil }
	})
	shared := w.listener(func(*fake) {})
	shared.Shared = true
	return []broken{
		{"Accept does not wake", "tcp/CloseWakesAccept", "Accept during Close is stuck", forgetful},
		{"Accept after Close blocks", "tcp/AcceptAfterClose", "Accept after Close is stuck", forgetful},
		{"Serve never ends", "tcp/HTTPServe", "Shutdown is stuck", forgetful},
		{"Serve never ends", "tcp/HTTPShutdownWaits", "http.Serve is stuck", forgetful},
		{"Accept after Close is EOF", "tcp/CloseWakesAccept", "the error is a *errors.errorString", w.acceptError(func(error) error { return io.EOF })},
		{"Accept after Close has another Op", "tcp/AcceptAfterClose", `Op is "listen"`, w.acceptError(func(err error) error {
			err.(*net.OpError).Op = "listen"
			return err
		})},
		{"Accept after Close has another network", "tcp/AcceptAfterClose", `Net is "unix"`, w.acceptError(func(err error) error {
			err.(*net.OpError).Net = "unix"
			return err
		})},
		{"Accept after Close has no Addr", "tcp/AcceptAfterClose", "Addr of the error", w.acceptError(func(err error) error {
			err.(*net.OpError).Addr = nil
			return err
		})},
		{"Accept after Close is not ErrClosed", "tcp/AcceptAfterClose", "want use of closed network connection", w.acceptError(func(err error) error {
			err.(*net.OpError).Err = errBroken
			return err
		})},
		{"Accept after Close seems to pass", "tcp/AcceptAfterClose", "says Timeout or Temporary", w.acceptError(func(err error) error {
			err.(*net.OpError).Err = passingError{net.ErrClosed}
			return err
		})},
		{"the second Close says nothing", "tcp/CloseTwice", "no error", silent},
		{"the second Close says nothing", "tcp/CloseConcurrent", "8 of 8 calls of Close closed it", silent},
		{"the second Close panics", "tcp/CloseTwice", "panicked: close of closed channel", w.listener(func(f *fake) {
			once := make(chan struct{})
			f.close = func() error { close(once); return f.TCPListener.Close() }
		})},
		{"Close closes what was accepted", "tcp/CloseKeepsConns", "use of closed network connection", greedy},
		{"Close keeps the socket", "tcp/CloseReopen", "address already in use", w.listener(closesNothing)},
		{"Close keeps the socket", "tcp/CloseRefuses", "a client can connect after Close", w.listener(closesNothing)},
		{"File takes the socket along", "tcp/CloseFile", "Dial: ", w.listener(func(f *fake) {
			f.file = func() (*os.File, error) { defer f.TCPListener.Close(); return f.TCPListener.File() }
		})},
		{"the socket closes with its listener", "tcp/CloseKeepsQueue", "Dial after Close", shared},
	}
}

func brokenDeadlines(w *workshop) []broken {
	return []broken{
		{"there are no deadlines", "tcp/DeadlineWakesAccept", "Accept past its deadline is stuck", w.listener(noDeadline)},
		{"there are no deadlines", "tcp/DeadlineExpires", "Accept past its deadline is stuck", w.listener(noDeadline)},
		{"the deadline is too early", "tcp/DeadlineExpires", "did not block", w.listener(func(f *fake) {
			f.deadline = func(time.Time) error { return f.TCPListener.SetDeadline(longAgo) }
		})},
		{"the deadline stays", "tcp/DeadlineReset", "Accept: accept tcp", w.listener(func(f *fake) {
			f.deadline = func(time.Time) error { return f.TCPListener.SetDeadline(longAgo) }
		})},
		{"SetDeadline after Close is fine", "tcp/DeadlineAfterClose", "SetDeadline after Close: <nil>", w.listener(noDeadline)},
	}
}

type ownAddr struct{ net.Addr }

type passingError struct{ error }

func (passingError) Temporary() bool { return true }
func (passingError) Timeout() bool   { return false }
func (e passingError) Unwrap() error { return e.error }

// acceptError changes what Accept fails with.
func (w *workshop) acceptError(change func(error) error) suite {
	return w.listener(func(f *fake) {
		f.accept = func() (net.Conn, error) {
			c, err := f.TCPListener.Accept()
			return c, changed(err, change)
		}
	})
}

func refusing(bad string) suite {
	return suite{listen: func(network, address string) (net.Listener, error) {
		if address == bad {
			return nil, errBroken
		}
		return net.Listen(network, address)
	}}
}

func closesNothing(f *fake) { f.close = func() error { return nil } }

func noDeadline(f *fake) { f.deadline = func(time.Time) error { return nil } }

func acceptsPairwise(f *fake) {
	var held net.Conn
	f.accept = func() (net.Conn, error) {
		if c := held; c != nil {
			held = nil
			return c, nil
		}
		var err error
		if held, err = f.TCPListener.Accept(); err != nil {
			return nil, err
		}
		return f.TCPListener.Accept()
	}
}

func acceptsDoubly(f *fake) {
	var mu sync.Mutex
	var again net.Conn
	f.accept = func() (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if c := again; c != nil {
			again = nil
			return c, nil
		}
		c, err := f.TCPListener.Accept()
		again = c
		return c, err
	}
}

func losesFirst(f *fake) {
	var once sync.Once
	f.accept = func() (net.Conn, error) {
		once.Do(func() {
			if c, err := f.TCPListener.Accept(); err == nil {
				c.Close()
			}
		})
		return f.TCPListener.Accept()
	}
}

func closesItsConns(f *fake) {
	var conns []net.Conn
	f.accept = func() (net.Conn, error) {
		c, err := f.TCPListener.Accept()
		if err == nil {
			conns = append(conns, c)
		}
		return c, err
	}
	f.close = func() error {
		for _, c := range conns {
			c.Close()
		}
		return f.TCPListener.Close()
	}
}
