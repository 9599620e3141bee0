package conn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/rota-go/rota/internal/http1"
)

// What Accept returns has the methods of the net package's connections.
var (
	_ interface {
		net.Conn
		io.ReaderFrom
		io.WriterTo
		SetNoDelay(bool) error
		SetLinger(int) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		CloseRead() error
		CloseWrite() error
		File() (*os.File, error)
		MultipathTCP() (bool, error)
	} = (*tcpConn)(nil)
	_ interface {
		net.Conn
		net.PacketConn
		CloseRead() error
		CloseWrite() error
		File() (*os.File, error)
		ReadMsgUnix(b, oob []byte) (int, int, int, *net.UnixAddr, error)
	} = (*unixConn)(nil)
)

func TestConnAsNetConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, draining := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/draining=%v", network, draining), func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					ln := listenConns(t, network)
					ln.shared.Draining.Store(draining)
					c1, c2 = ln.pair(t)
					return c1, c2, func() { c1.Close(); c2.Close(); ln.Close() }, nil
				})
			})
		}
	}
}

func TestConnCloseCountsOnce(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, _ := ln.pair(t)
	if err := server.Close(); err != nil || ln.live.Load() != 0 {
		t.Fatalf("Close: %v, %d conns live", err, ln.live.Load())
	}
	if err := server.Close(); !errors.Is(err, net.ErrClosed) || ln.live.Load() != 0 {
		t.Fatalf("second Close: %v, %d conns live", err, ln.live.Load())
	}
	if _, err := server.Read(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := server.Write(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write: %v", err)
	}
}

func TestConnOpaque(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ln := listenConns(t, network)
		ln.shared.Opaque = true
		ln.drain()
		go http.Serve(ln, http.HandlerFunc(hello))
		c := dialConn(t, ln.Addr())
		for range 3 {
			c.send(getRequest)
			if head, _ := c.answer("GET"); strings.Contains(head, http1.Line) {
				t.Fatalf("announced: %s", head)
			}
			for range 5 {
				ln.tick(1)
			}
		}
	}
}

// A connection of an unknown type is counted, and NetConn returns it.
func TestConnOfAnotherType(t *testing.T) {
	pipe, other := net.Pipe()
	defer other.Close()
	half := tls.Server(pipe, nil)
	for _, inner := range []net.Conn{half, pipe} {
		closed := 0
		w := newShared()
		w.Closed = func(*Tracked) { closed++ }
		outer, c := New(inner, w)
		if outer.(interface{ NetConn() net.Conn }).NetConn() != inner {
			t.Error("NetConn is another one")
		}
		if _, ok := outer.(halfCloser); ok != (inner == half) {
			t.Errorf("%T: CloseWrite is there: %v", inner, ok)
		}
		c.Tick(1, 0)
		outer.Close()
		outer.Close()
		if closed != 1 {
			t.Errorf("%T: counted out %d times", inner, closed)
		}
	}
}

// New makes at most one allocation.
func TestConnAllocations(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, _ := ln.pair(t)
	inner := server.(*tcpConn).TCPConn
	var keep net.Conn
	if n := testing.AllocsPerRun(100, func() { keep, _ = New(inner, ln.shared) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	_ = keep
}

func TestList(t *testing.T) {
	var l List
	conns := make([]*Tracked, 3)
	for i := range conns {
		conns[i] = new(Tracked)
		l.Add(conns[i])
	}
	for i, want := range [][]*Tracked{{conns[2], conns[0]}, {conns[2]}, {}} {
		l.Remove(conns[[]int{1, 0, 2}[i]])
		if got := l.All(); !slices.Equal(got, want) || l.Len() != len(want) {
			t.Errorf("after %d removals: %d connections, All returns %d, want %d", i+1, l.Len(), len(got), len(want))
		}
	}
}
