//go:build linux

package message

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mailbox is a link that keeps what is sent, or refuses it.
type mailbox struct {
	packets []link.Packet
	err     error
	took    []*descriptor.FD
}

func (b *mailbox) Send(f wire.Frame, files ...*descriptor.FD) error {
	b.took = append(b.took, files...)
	if b.err != nil {
		for _, fd := range files {
			_ = fd.Close()
		}
		return b.err
	}
	b.packets = append(b.packets, link.Packet{Frame: f, Files: files})
	return nil
}

// post sends h and returns it as it arrives.
func post(t *testing.T, h ipc.Handle) ipc.Handle {
	t.Helper()
	var b mailbox
	if err := Send(&b, wire.Message, "x", []ipc.Handle{h}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.packets[0].Close)
	return Received(b.packets[0]).Handles[0]
}

// sources are one of each kind, and what it is.
func sources(t *testing.T) map[string]ipc.Handle {
	t.Helper()
	dir := t.TempDir()
	tcp := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	unix := must(net.Listen("unix", filepath.Join(dir, "socket")))(t)
	udp := must(net.ListenPacket("udp", "127.0.0.1:0"))(t)
	unixgram := must(net.ListenPacket("unixgram", filepath.Join(dir, "packets")))(t)
	client := must(net.Dial("tcp", tcp.Addr().String()))(t)
	local := must(net.Dial("unix", unix.Addr().String()))(t)
	talker := must(net.Dial("udp", udp.LocalAddr().String()))(t)
	file := must(os.Create(filepath.Join(dir, "file")))(t)
	return map[string]ipc.Handle{
		"tcp listener": ipc.FromListener(tcp), "unix listener": ipc.FromListener(unix),
		"udp packet conn": ipc.FromPacketConn(udp), "unixgram packet conn": ipc.FromPacketConn(unixgram),
		"tcp conn": ipc.FromConn(client), "unix conn": ipc.FromConn(local), "udp conn": ipc.FromConn(talker), "regular file": ipc.FromFile(file),
	}
}

type closer interface{ Close() error }

func must[T closer](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close() })
		return v
	}
}

// A handle that is taken for what it is not stays as it was, and is then taken for what
// it is.
func TestHandleIsWhatItIs(t *testing.T) {
	as := map[string]func(ipc.Handle) (closer, error){
		"listener":    func(h ipc.Handle) (closer, error) { return h.Listener() },
		"packet conn": func(h ipc.Handle) (closer, error) { return h.PacketConn() },
		"conn":        func(h ipc.Handle) (closer, error) { return h.Conn() },
		"file":        func(h ipc.Handle) (closer, error) { return h.File() },
	}
	wrong := map[string][]string{
		"tcp listener": {"conn", "packet conn"}, "unix listener": {"conn"},
		"udp packet conn": {"listener", "conn"}, "unixgram packet conn": {"listener", "conn"},
		"tcp conn": {"listener", "packet conn"}, "unix conn": {"listener"}, "udp conn": {"listener"},
		"regular file": {"conn", "listener", "packet conn"},
	}
	right := map[string]string{
		"tcp listener": "*net.TCPListener", "unix listener": "*net.UnixListener",
		"udp packet conn": "*net.UDPConn", "unixgram packet conn": "*net.UnixConn",
		"tcp conn": "*net.TCPConn", "unix conn": "*net.UnixConn", "udp conn": "*net.UDPConn", "regular file": "*os.File",
	}
	for kind, source := range sources(t) {
		t.Run(kind, func(t *testing.T) {
			h := post(t, source)
			for _, not := range wrong[kind] {
				if v, err := as[not](h); !errors.Is(err, ipc.ErrHandle) {
					t.Errorf("taken as a %s: %T, %v, want ErrHandle", not, v, err)
				}
			}
			_, is, _ := strings.Cut(kind, " ")
			v, err := as[is](h)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			if got := fmt.Sprintf("%T", v); got != right[kind] {
				t.Errorf("it is a %s, want %s", got, right[kind])
			}
			if _, err := as[is](h); !errors.Is(err, ipc.ErrHandle) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("taken twice: %v, want ErrHandle and net.ErrClosed", err)
			}
			if err := h.Close(); err != nil {
				t.Errorf("Close of one that is taken: %v", err)
			}
		})
	}
}

// What came can be passed on, and is gone here then.
func TestHandleIsPassedOn(t *testing.T) {
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	h := post(t, ipc.FromListener(ln))
	again := post(t, h)
	if _, err := h.Listener(); !errors.Is(err, ipc.ErrHandle) {
		t.Errorf("the handle that was passed on: %v, want ErrHandle", err)
	}
	passed, err := again.Listener()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	if passed.Addr().String() != ln.Addr().String() {
		t.Errorf("it listens on %v, want %v", passed.Addr(), ln.Addr())
	}
}

// If Send fails, whatever the reason, nothing has been sent, nothing is closed that was
// the caller's, and nothing is open that was not.
func TestSendFailsWhole(t *testing.T) {
	for name, why := range map[string]error{"full": link.ErrQueueFull, "ended": link.ErrClosed} {
		all := sources(t)
		b := &mailbox{err: why}
		for kind, h := range all {
			err := Send(b, wire.Message, "x", []ipc.Handle{h})
			if want := map[string]error{"full": ipc.ErrQueueFull, "ended": ipc.ErrDisconnected}[name]; !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", kind, err, want)
			}
		}
		if err := Send(&mailbox{}, wire.Message, "x", []ipc.Handle{all["tcp conn"], nil}); !errors.Is(err, ipc.ErrHandle) {
			t.Errorf("with an empty handle: %v", err)
		}
		if err := Send(&mailbox{}, wire.Message, func() {}, []ipc.Handle{all["tcp conn"]}); err == nil {
			t.Error("a function was sent")
		}
		for _, fd := range b.took {
			if fd.Int() >= 0 {
				t.Errorf("%s: descriptor %d is still open", name, fd.Int())
			}
		}
		for kind, h := range all {
			post(t, h) // it can still be sent
			if kind == "tcp conn" {
				if err := Send(&mailbox{}, wire.Message, "x", []ipc.Handle{h}); !errors.Is(err, net.ErrClosed) {
					t.Errorf("a conn that was sent can be sent again: %v", err)
				}
			}
		}
	}
}

// Of one that was not received there is nothing to take.
func TestHandleToSendIsNotTaken(t *testing.T) {
	for _, h := range []ipc.Handle{ipc.FromConn(nil), ipc.FromFile(nil), ipc.FromConn((*net.TCPConn)(nil)), ipc.FromConn((*tls.Conn)(nil)),
		ipc.FromConn(struct{ *net.TCPConn }{}), ipc.FromListener((*net.TCPListener)(nil)), ipc.FromPacketConn((*net.UDPConn)(nil))} {
		if _, err := h.Conn(); !errors.Is(err, ipc.ErrHandle) {
			t.Errorf("%v, want ErrHandle", err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := Send(&mailbox{}, wire.Message, "x", []ipc.Handle{h}); !errors.Is(err, ipc.ErrHandle) {
			t.Errorf("%v, want ErrHandle", err)
		}
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("no") }

// Whatever the program gives it, Send doesn't panic.
func TestSendOfWhatPanics(t *testing.T) {
	var b mailbox
	if err := Send(&b, wire.Message, panics{}, nil); err == nil || len(b.packets) > 0 {
		t.Errorf("it sent %v, %v", b.packets, err)
	}
}

func TestMessage(t *testing.T) {
	var b mailbox
	if err := Send(&b, wire.Message, map[string]any{"cmd": "x", "n": 1}, nil); err != nil {
		t.Fatal(err)
	}
	m := Received(b.packets[0])
	var v struct {
		Cmd string
		N   int
	}
	if err := m.Decode(&v); err != nil || v.Cmd != "x" || v.N != 1 || m.String() != `{"cmd":"x","n":1}` {
		t.Errorf("%+v, %v, %s", v, err, m)
	}
	if err := m.Decode(new(int)); err == nil {
		t.Error("an object was decoded as a number")
	}
}

// foreign is a handle of another implementation.
type foreign struct{ ipc.Handle }

// A handle that is nil, or of another implementation, can't be sent.
func TestSendOfAForeignHandle(t *testing.T) {
	for _, h := range []ipc.Handle{nil, foreign{}} {
		var b mailbox
		if err := Send(&b, wire.Message, "x", []ipc.Handle{h}); !errors.Is(err, ipc.ErrHandle) || len(b.packets) > 0 {
			t.Errorf("%T: %v, want ErrHandle", h, err)
		}
	}
}
