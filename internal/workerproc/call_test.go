package workerproc

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// openFD returns an open descriptor. Its Int is negative when it has been closed.
func openFD(t *testing.T) *descriptor.FD {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	fd, err := descriptor.DupOf(r)
	if err != nil {
		t.Skip(err)
	}
	return fd
}

// listenCall asks for a socket on a goroutine of its own.
func (b *bench) listenCall(ctx context.Context) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := b.Listen(ctx, bind.Request{Network: "tcp", Address: ":80"})
		result <- err
	}()
	synctest.Wait()
	return result
}

// An error of the master's bind reads as if the worker had called bind itself.
func TestErrorsLookLocal(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		result := b.listenCall(t.Context())
		in := &net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{Port: 80}, Err: os.NewSyscallError("bind", syscall.EACCES)}
		p := link.Packet{Frame: wire.Frame{Type: wire.Failed, Call: 1, Body: wire.Body(neterr.Encode(in))}}
		b.link.frames <- p
		err := <-result
		if !errors.Is(err, syscall.EACCES) || err.Error() != in.Error() {
			t.Errorf("error %v, want %v", err, in)
		}
	})
}

// The master may fail a Listen because it has asked the worker to disconnect.
func TestListenAsTheMasterDisconnects(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		result := b.listenCall(t.Context())
		in := &net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{Port: 80}, Err: os.ErrClosed}
		b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Failed, Call: 1, Body: wire.Body(neterr.Encode(in))}}
		var op *net.OpError
		if err := <-result; !errors.Is(err, ipc.ErrDisconnected) || !errors.As(err, &op) {
			t.Errorf("error %v, want ipc.ErrDisconnected in an OpError", err)
		}
	})
}

// Listen returns when ctx ends. A socket that comes later is given back.
func TestLateSocketIsGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		result := b.listenCall(ctx)
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		fd := openFD(t)
		b.link.frames <- link.Packet{
			Frame: wire.Frame{Type: wire.Socket, Call: 1, FDs: 1, Body: wire.Body(wire.SocketBody{ID: 9})},
			Files: []*descriptor.FD{fd},
		}
		synctest.Wait()
		if b.link.count(wire.Closed) != 1 || fd.Int() >= 0 {
			t.Errorf("the socket was kept: closed %d, descriptor %d", b.link.count(wire.Closed), fd.Int())
		}
	})
}

// Control is called for a shared socket when the master has passed it. If Control fails,
// Listen fails with its error and the socket is given back (docs/contract.md#sharing-10).
func TestControlOfSharedSocket(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	fd, err := descriptor.DupOf(ln)
	if err != nil {
		t.Skip(err)
	}
	inBubble(t, func(t *testing.T, b *bench) {
		failure := errors.New("on purpose")
		result := make(chan error, 1)
		go func() {
			r := bind.Request{Network: "tcp", Address: ":80"}
			r.Control = func(network, address string, c syscall.RawConn) error { return failure }
			_, err := b.Listen(context.Background(), r)
			result <- err
		}()
		synctest.Wait()
		b.link.frames <- link.Packet{
			Frame: wire.Frame{Type: wire.Socket, Call: 1, FDs: 1, Body: wire.Body(wire.SocketBody{ID: 9})},
			Files: []*descriptor.FD{fd},
		}
		var op *net.OpError
		if err := <-result; !errors.Is(err, failure) || !errors.As(err, &op) {
			t.Errorf("Listen: %v, want the error of Control in an OpError", err)
		}
		if b.link.count(wire.Closed) != 1 || fd.Int() >= 0 {
			t.Errorf("the socket was kept: closed %d, descriptor %d", b.link.count(wire.Closed), fd.Int())
		}
	})
}

// Listen fails at once when the master is gone.
func TestListenWhenTheMasterGoes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		result := b.listenCall(t.Context())
		close(b.link.gone)
		if err := <-result; !errors.Is(err, ipc.ErrDisconnected) {
			t.Errorf("error %v, want ipc.ErrDisconnected", err)
		}
		<-b.exited
	})
}

// A socket frame must have exactly one descriptor. Otherwise all of them are closed.
func TestSocketWithTwoDescriptors(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		result := b.listenCall(t.Context())
		one, two := openFD(t), openFD(t)
		b.link.frames <- link.Packet{
			Frame: wire.Frame{Type: wire.Socket, Call: 1, FDs: 2, Body: wire.Body(wire.SocketBody{ID: 9})},
			Files: []*descriptor.FD{one, two},
		}
		if err := <-result; !errors.Is(err, ipc.ErrDisconnected) {
			t.Errorf("error %v, want ipc.ErrDisconnected", err)
		}
		if one.Int() >= 0 || two.Int() >= 0 {
			t.Error("descriptors were left open")
		}
		<-b.exited
	})
}
