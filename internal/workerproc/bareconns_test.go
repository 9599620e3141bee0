package workerproc

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// bareAccept returns one connection of a listener, as package net's type.
type bareAccept func(ln net.Listener) (net.Conn, error)

func acceptTCP(ln net.Listener) (net.Conn, error) {
	return ln.(interface{ AcceptTCP() (*net.TCPConn, error) }).AcceptTCP()
}

func acceptUnix(ln net.Listener) (net.Conn, error) {
	return ln.(interface{ AcceptUnix() (*net.UnixConn, error) }).AcceptUnix()
}

// newTestWorker returns a worker with that grace, whose link goes nowhere.
func newTestWorker(grace time.Duration) *Worker {
	w := newWorker(link.Identity{ID: 1}, newFakeLink())
	w.times.Store(&wire.WelcomeBody{Grace: grace, IdleGrace: time.Second})
	return w
}

// eachBare calls f with a listener of a worker whose grace is given, for each network.
func eachBare(t *testing.T, grace time.Duration, f func(t *testing.T, w *Worker, ln net.Listener, accept bareAccept)) {
	for network, accept := range map[string]bareAccept{"tcp": acceptTCP, "unix": acceptUnix} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				dir, err := os.MkdirTemp("", "r")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(dir) })
				address = filepath.Join(dir, "s")
			}
			ln, err := net.Listen(network, address)
			if err != nil {
				t.Skip(err)
			}
			w := newTestWorker(grace)
			tracked := w.Track(ln)
			t.Cleanup(func() { tracked.Close() })
			f(t, w, tracked, accept)
		})
	}
}

func dialTo(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// A listener has all methods that package net's has, with the same types.
func TestListenersHaveTheMethodsOfPackageNet(t *testing.T) {
	eachBare(t, time.Minute, func(t *testing.T, w *Worker, ln net.Listener, _ bareAccept) {
		var plain any = (*net.TCPListener)(nil)
		if ln.Addr().Network() == "unix" {
			plain = (*net.UnixListener)(nil)
		}
		for i := range reflect.TypeOf(plain).NumMethod() {
			want := reflect.TypeOf(plain).Method(i)
			got := reflect.ValueOf(ln).MethodByName(want.Name)
			if !got.IsValid() || got.Type() != reflect.ValueOf(plain).Method(i).Type() {
				t.Errorf("%T.%s is missing, or of another type", ln, want.Name)
			}
		}
		if w.Track(ln) != ln {
			t.Error("a tracked listener is tracked again")
		}
	})
	w := newWorker(link.Identity{ID: 1}, newFakeLink())
	if _, ok := w.Track(newPipeListener()).(interface{ AcceptTCP() (*net.TCPConn, error) }); ok {
		t.Error("a listener of another kind has AcceptTCP")
	}
}

// The drain waits for a connection that the program has as package net's type.
func TestDrainWaitsForBareConns(t *testing.T) {
	eachBare(t, time.Minute, func(t *testing.T, w *Worker, ln net.Listener, accept bareAccept) {
		client := dialTo(t, ln)
		c, err := accept(ln)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Disconnect(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-w.Done():
			t.Fatal("the worker has left")
		case <-time.After(2 * drainTick):
		}
		if _, err := c.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if b, err := io.ReadAll(client); string(b) != "answer" || err != nil {
			t.Errorf("the client got %q, %v", b, err)
		}
		select {
		case <-w.Done():
		case <-time.After(10 * time.Second):
			t.Error("the worker doesn't leave")
		}
		if _, err := accept(ln); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after the drain: %v", err)
		}
	})
}

// What is open at the end of the grace is closed.
func TestBareConnsAtTheEndOfTheGrace(t *testing.T) {
	eachBare(t, 10*time.Millisecond, func(t *testing.T, w *Worker, ln net.Listener, accept bareAccept) {
		client := dialTo(t, ln)
		c, err := accept(ln)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Disconnect()
		if b, err := io.ReadAll(client); len(b) > 0 || err != nil {
			t.Errorf("the client got %q, %v, want EOF", b, err)
		}
		runtime.KeepAlive(c)
	})
}

// A connection that the program has lost is not waited for.
func TestLostBareConns(t *testing.T) {
	eachBare(t, time.Minute, func(t *testing.T, w *Worker, ln net.Listener, accept bareAccept) {
		client := dialTo(t, ln)
		if _, err := accept(ln); err != nil {
			t.Fatal(err)
		}
		_ = w.Disconnect()
		for left := false; !left; {
			runtime.GC()
			select {
			case <-w.Done():
				left = true
			case <-time.After(time.Millisecond):
			}
		}
		if _, err := io.ReadAll(client); err != nil {
			t.Errorf("the client sees %v", err)
		}
	})
}

// A connection that has moved here from another worker comes out of AcceptTCP as package net's,
// and the drain waits for it as for the others.
func TestAcceptTCPOfAMovedConnection(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newTestWorker(time.Minute)
	ln := w.Track(inner)
	defer ln.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	client := dialTo(t, other)
	server, err := other.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ln.(*tcpListener).Put(server)
	c, err := acceptTCP(ln)
	if err != nil || c != server {
		t.Fatalf("AcceptTCP: %v, %v", c, err)
	}
	if n := len(w.drain.openConns()); n != 0 {
		t.Errorf("the drain also has %d tracked connections", n)
	}
	_ = w.Disconnect()
	select {
	case <-w.Done():
		t.Fatal("the worker has left")
	case <-time.After(2 * drainTick):
	}
	if _, err := c.Write([]byte("answer")); err != nil {
		t.Error(err)
	}
	c.Close()
	if b, err := io.ReadAll(client); string(b) != "answer" || err != nil {
		t.Errorf("the client got %q, %v", b, err)
	}
	<-w.Done()
}
