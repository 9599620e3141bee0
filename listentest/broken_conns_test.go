package listentest

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

func brokenConns(w *workshop) []broken {
	immortal := w.harmed(func(c *fakeConn) { c.close = func() error { return nil } })
	timeless := w.harmed(func(c *fakeConn) {
		c.deadline = func(time.Time) error { return nil }
		c.wdeadline = c.deadline
	})
	silent := w.harmed(func(c *fakeConn) { c.close = func() error { c.TCPConn.Close(); return nil } })
	noisy := w.harmed(func(c *fakeConn) { c.read = corrupting(c.TCPConn.Read) })
	bare := w.conn(func(c *fakeConn) net.Conn { return bareConn{c.TCPConn, c.TCPConn.Write} })
	return []broken{
		{"a byte is wrong", "tcp/ConnTransfer", "the same: false", noisy},
		{"a byte is wrong", "tcp/TLS", "Write", noisy},
		{"the other side's end is ours", "tcp/ConnHalfCloseByClient", "Write of 6 bytes", w.harmed(closesAtEOF)},
		{"CloseWrite closes", "tcp/ConnHalfCloseByServer", "Read: ", w.harmed(func(c *fakeConn) { c.closeWrite = c.TCPConn.Close })},
		{"there is no CloseWrite", "tcp/ConnHalfCloseByServer", "has no CloseWrite", w.conn(func(c *fakeConn) net.Conn { return struct{ net.Conn }{c} })},
		{"the end is wrapped", "tcp/ConnEOF", "Read at the end", w.harmed(func(c *fakeConn) {
			c.read = func(b []byte) (int, error) {
				n, err := c.TCPConn.Read(b)
				return n, changed(err, func(err error) error { return fmt.Errorf("read: %w", err) })
			}
		})},
		{"Write may be torn", "tcp/ConnConcurrent", "torn", w.harmed(writesInHalves)},
		{"methods are missing", "tcp/ConnMethods", "has no method SetKeepAliveConfig", bare},
		{"a method has another type", "tcp/ConnMethods", "net has func(int) error", w.conn(func(c *fakeConn) net.Conn { return oddConn{c} })},
		{"an option fails", "tcp/ConnOptions", "SetNoDelay: broken", w.harmed(func(c *fakeConn) {
			c.noDelay = func(bool) error { return errBroken }
		})},
		{"Read after Close is EOF", "tcp/ConnUseAfterClose", "read: the error is a *errors.errorString", w.harmed(closedIsEOF)},
		{"the second Close says nothing", "tcp/ConnCloseTwice", "no error", silent},
		{"the second Close says nothing", "tcp/ConnCloseConcurrent", "8 of 8 calls of Close closed it", silent},
		{"the second Close is counted", "tcp/ConnCloseTwice", "panicked: sync: negative WaitGroup counter", w.harmed(waitsForClose)},
		{"Close closes nothing", "tcp/ConnCloseSeen", "Read", immortal},
		{"Close closes nothing", "tcp/ConnCloseWakesRead", "Read during Close is stuck", immortal},
		{"Close closes nothing", "tcp/ConnCloseWakesWrite", "Write during Close is stuck", immortal},
		{"every Close is counted", "tcp/ConnCounted", "connections are counted as open, want 1", w.counting()},
		{"the deadline is too early", "tcp/ConnReadDeadline", "did not block", w.harmed(func(c *fakeConn) {
			c.deadline = func(time.Time) error { return c.TCPConn.SetReadDeadline(longAgo) }
		})},
		{"the deadline is forgotten", "tcp/ConnReadDeadline", "is stuck", w.harmed(forgetsDeadline)},
		{"there are no deadlines", "tcp/ConnReadDeadline", "Read past its deadline is stuck", timeless},
		{"there are no deadlines", "tcp/ConnWriteDeadline", "Write past its deadline is stuck", timeless},
		{"there are no deadlines", "tcp/ConnDeadlineWakesRead", "Read past its deadline is stuck", timeless},
		{"there is no ReadFrom", "tcp/ConnReadFrom", "has no ReadFrom", bare},
		{"ReadFrom stops early", "tcp/ConnReadFrom", "the same: false", w.conn(func(c *fakeConn) net.Conn { return shortConn{c} })},
		{"there is no WriteTo", "tcp/ConnWriteTo", "has no WriteTo", bare},
		{"WriteTo stops early", "tcp/ConnWriteTo", "WriteTo: 1000, <nil>", w.conn(func(c *fakeConn) net.Conn { return shortConn{c} })},
		{"a byte is wrong", "tcp/ConnBuffers", "the same: false", w.conn(func(c *fakeConn) net.Conn {
			return bareConn{c.TCPConn, corrupting(c.TCPConn.Write)}
		})},
		{"there is no SyscallConn", "tcp/ConnSyscall", "has no SyscallConn", bare},
		{"there is no SyscallConn", "tcp/ConnFlags", "has no SyscallConn", bare},
		{"keep-alive is off", "tcp/ConnKeepAlive", "SO_KEEPALIVE is 0", w.harmed(func(c *fakeConn) { c.SetKeepAlive(false) })},
		{"keep-alive is the kernel's", "tcp/ConnKeepAlive", "TCP_KEEPIDLE is 7200", w.harmed(func(c *fakeConn) {
			c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 7200 * time.Second})
		})},
		{"answers are not whole", "tcp/HTTPServe", "GET: ", w.conn(func(c *fakeConn) net.Conn {
			return bareConn{c.TCPConn, func(b []byte) (int, error) { defer c.TCPConn.Close(); return c.TCPConn.Write(b[:1]) }}
		})},
		{"Close of the listener ends requests", "tcp/HTTPShutdownWaits", "GET: ", w.listener(closesItsConns)},
	}
}

// corrupting changes the last byte of a buffer on its way.
func corrupting(pass func([]byte) (int, error)) func([]byte) (int, error) {
	return func(b []byte) (int, error) {
		spoilt := make([]byte, len(b))
		copy(spoilt, b)
		spoilt[len(b)-1] ^= 1
		n, err := pass(spoilt)
		copy(b, spoilt[:n])
		if n > 0 {
			b[n-1] ^= 1
		}
		return n, err
	}
}

func closesAtEOF(c *fakeConn) {
	c.read = func(b []byte) (int, error) {
		n, err := c.TCPConn.Read(b)
		if err == io.EOF {
			c.TCPConn.Close()
		}
		return n, err
	}
}

func closedIsEOF(c *fakeConn) {
	c.read = func(b []byte) (int, error) {
		n, err := c.TCPConn.Read(b)
		return n, changed(err, func(error) error { return io.EOF })
	}
}

func writesInHalves(c *fakeConn) {
	c.write = func(b []byte) (int, error) {
		n, err := c.TCPConn.Write(b[:len(b)/2])
		if err != nil {
			return n, err
		}
		time.Sleep(time.Millisecond) // time for the others to get in between
		m, err := c.TCPConn.Write(b[len(b)/2:])
		return n + m, err
	}
}

func forgetsDeadline(c *fakeConn) {
	c.read = func(b []byte) (int, error) {
		n, err := c.TCPConn.Read(b)
		if err != nil {
			c.TCPConn.SetReadDeadline(never)
		}
		return n, err
	}
}

func waitsForClose(c *fakeConn) {
	var open sync.WaitGroup
	open.Add(1)
	c.close = func() error { open.Done(); return c.TCPConn.Close() }
}

// counting counts connections, and each Close.
func (w *workshop) counting() suite {
	var open atomic.Int64
	s := w.harmed(func(c *fakeConn) {
		open.Add(1)
		c.close = func() error { open.Add(-1); return c.TCPConn.Close() }
	})
	s.Open = func() int { return int(open.Load()) }
	return s
}

type oddConn struct{ *fakeConn }

func (c oddConn) SetLinger(d time.Duration) error { return c.fakeConn.SetLinger(int(d)) }

type shortConn struct{ *fakeConn }

func (c shortConn) ReadFrom(r io.Reader) (int64, error) {
	return c.fakeConn.ReadFrom(io.LimitReader(r, 1000))
}

func (c shortConn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.LimitReader(c.fakeConn, 1000))
}
