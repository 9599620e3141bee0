package neterr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// overTheLink is err as it arrives at the other side.
func overTheLink(t *testing.T, err error) error {
	t.Helper()
	var body wire.FailedBody
	if err := json.Unmarshal(wire.Body(Encode(err)), &body); err != nil {
		t.Fatal(err)
	}
	return Decode(body)
}

// sentinels are what programs ask errors of Listen for.
var sentinels = []error{
	syscall.EADDRINUSE, syscall.EADDRNOTAVAIL, syscall.EACCES, syscall.EPERM, syscall.EINVAL, syscall.ENOENT,
	syscall.ENOTDIR, syscall.EMFILE, syscall.ENAMETOOLONG, syscall.EAFNOSUPPORT,
	fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, fs.ErrClosed, fs.ErrInvalid, net.ErrClosed,
	errors.ErrUnsupported, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
}

// alike fails where a program could tell the two errors apart.
func alike(t *testing.T, want, got error) {
	t.Helper()
	if want.Error() != got.Error() {
		t.Errorf("text\n got %q\nwant %q", got, want)
	}
	for _, s := range sentinels {
		if errors.Is(want, s) != errors.Is(got, s) {
			t.Errorf("%q: is %q: got %v, want %v", want, s, errors.Is(got, s), errors.Is(want, s))
		}
	}
	for name, as := range map[string]func(error) any{
		"*net.OpError":            as[*net.OpError],
		"*os.SyscallError":        as[*os.SyscallError],
		"*net.AddrError":          as[*net.AddrError],
		"*net.DNSError":           as[*net.DNSError],
		"net.UnknownNetworkError": as[net.UnknownNetworkError],
		"net.InvalidAddrError":    as[net.InvalidAddrError],
		"syscall.Errno":           as[syscall.Errno],
		"net.Error":               as[net.Error],
	} {
		w, g := as(want), as(got)
		if (w == nil) != (g == nil) || w != nil && fmt.Sprint(w) != fmt.Sprint(g) {
			t.Errorf("as %s: got %v, want %v", name, g, w)
		}
	}
	alikeNet(t, want, got)
}

func as[T error](err error) any {
	var e T
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func alikeNet(t *testing.T, want, got error) {
	t.Helper()
	var w, g *net.OpError
	if !errors.As(want, &w) || !errors.As(got, &g) {
		return
	}
	if w.Op != g.Op || w.Net != g.Net || w.Timeout() != g.Timeout() || w.Temporary() != g.Temporary() {
		t.Errorf("got %+v, want %+v", g, w)
	}
	if (w.Addr == nil) != (g.Addr == nil) {
		t.Errorf("address %v, want %v", g.Addr, w.Addr)
	} else if w.Addr != nil && (reflect.TypeOf(w.Addr) != reflect.TypeOf(g.Addr) || w.Addr.String() != g.Addr.String() || w.Addr.Network() != g.Addr.Network()) {
		t.Errorf("address %T %v, want %T %v", g.Addr, g.Addr, w.Addr, w.Addr)
	}
	if reflect.TypeOf(w.Err) != reflect.TypeOf(g.Err) {
		t.Errorf("cause %T, want %T", g.Err, w.Err)
	}
}

// TestErrorsOfNetListen are the real ones.
func TestErrorsOfNetListen(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	dir := t.TempDir()
	for _, tt := range []struct {
		name, network, address string
		is                     error
	}{
		{"in use", "tcp", tcp.Addr().String(), syscall.EADDRINUSE},
		{"in use, tcp4", "tcp4", tcp.Addr().String(), syscall.EADDRINUSE},
		{"not ours", "tcp", "192.0.2.1:0", syscall.EADDRNOTAVAIL},
		{"not ours, IPv6", "tcp", "[2001:db8::1]:0", nil},
		{"IPv4 as IPv6", "tcp6", "127.0.0.1:0", nil},
		{"no port", "tcp", "localhost", nil},
		{"too many colons", "tcp", "1:2:3", nil},
		{"unknown port", "tcp", "127.0.0.1:no-such-service", nil},
		{"port too large", "tcp", "127.0.0.1:65536", nil},
		{"negative port", "tcp", ":-1", nil},
		{"unknown network", "sctp", "127.0.0.1:0", nil},
		{"a network of packets", "udp", "127.0.0.1:0", nil},
		{"a network of raw IP", "ip4:icmp", "127.0.0.1", nil},
		{"a network of raw IP, no address", "ip:1", "", nil},
		{"empty network", "", "", nil},
		{"path too long", "unix", filepath.Join(dir, strings.Repeat("x", 200)), syscall.EINVAL},
		{"no directory", "unix", filepath.Join(dir, "none", "s"), syscall.ENOENT},
		{"a file for a directory", "unix", filepath.Join(os.Args[0], "s"), syscall.ENOTDIR},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.network == "unix" && runtime.GOOS != "linux" {
				t.Skip("the numbers differ")
			}
			ln, err := net.Listen(tt.network, tt.address)
			if err == nil {
				ln.Close()
				t.Skip("this machine can")
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("net.Listen: %v, want %v", err, tt.is)
			}
			alike(t, err, overTheLink(t, err))
		})
	}
}

func TestErrorsOfNetListenPacket(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, tt := range []struct{ network, address string }{
		{"udp", udp.LocalAddr().String()}, {"udp", "192.0.2.1:0"}, {"tcp", ":0"}, {"unixgram", filepath.Join(t.TempDir(), "none", "s")},
	} {
		c, err := net.ListenPacket(tt.network, tt.address)
		if err == nil {
			c.Close()
			continue
		}
		alike(t, err, overTheLink(t, err))
	}
}

func TestErrorOfTheResolver(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_, err := new(net.ListenConfig).Listen(ctx, "tcp", "no-such-host.invalid:0")
	if err == nil || ctx.Err() != nil {
		t.Skipf("the resolver hangs, or knows .invalid: %v", err)
	}
	got := overTheLink(t, err)
	alike(t, err, got)
	var want, dns *net.DNSError
	if !errors.As(err, &want) || !errors.As(got, &dns) || dns.IsNotFound != want.IsNotFound || dns.Name != want.Name {
		t.Errorf("got %+v, want %+v", dns, want)
	}
}

// TestErrorsMade are those that net.Listen gives on machines that the test has not.
func TestErrorsMade(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	for _, err := range []error{
		&net.OpError{Op: "listen", Net: "tcp", Addr: addr, Err: os.NewSyscallError("bind", syscall.EACCES)},
		&net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{Port: 80}, Err: os.NewSyscallError("bind", syscall.EACCES)},
		&net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}, Err: os.NewSyscallError("bind", syscall.EINVAL)},
		&net.OpError{Op: "listen", Net: "udp", Addr: &net.UDPAddr{IP: net.IPv6zero, Port: 1}, Err: os.NewSyscallError("socket", syscall.EMFILE)},
		&net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: "/run/x", Net: "unix"}, Err: os.NewSyscallError("bind", syscall.EPERM)},
		&net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: "@x", Net: "unix"}, Err: syscall.EINVAL},
		&net.OpError{Op: "listen", Net: "tcp", Err: net.InvalidAddrError("unexpected address type")},
		&net.OpError{Op: "listen", Net: "tcp", Err: context.Canceled},
		&net.OpError{Op: "listen", Net: "tcp", Err: os.ErrClosed},
		&net.OpError{Op: "listen", Net: "tcp", Err: &net.DNSError{Err: "i/o timeout", Name: "a", Server: "[::1]:53", IsTimeout: true, IsTemporary: true}},
		os.NewSyscallError("bind", syscall.EADDRINUSE),
		syscall.EADDRINUSE,
		net.ErrClosed,
		errors.ErrUnsupported,
	} {
		t.Run(err.Error(), func(t *testing.T) { alike(t, err, overTheLink(t, err)) })
	}
}

// TestErrorsOfAllow: a program's own error keeps its text, and what it says it is.
func TestErrorsOfAllow(t *testing.T) {
	for _, cause := range []error{
		errors.New("worker 3 may not"),
		fmt.Errorf("worker 3 may not: %w", fs.ErrPermission),
		fmt.Errorf("worker 3 may not: %w", syscall.EACCES),
		fmt.Errorf("asking: %w", context.DeadlineExceeded),
		fmt.Errorf("limit: %w", os.NewSyscallError("socket", syscall.EMFILE)),
	} {
		err := &net.OpError{Op: "listen", Net: "tcp", Addr: address{"tcp", ":80"}, Err: cause}
		got := overTheLink(t, err)
		if err.Error() != got.Error() {
			t.Errorf("text\n got %q\nwant %q", got, err)
		}
		for _, s := range sentinels {
			if errors.Is(err, s) != errors.Is(got, s) {
				t.Errorf("%v: is %v: got %v", err, s, errors.Is(got, s))
			}
		}
	}
}

// TestErrorAddressIsNotResolved: what a worker asked for may be a name, and the error
// must not ask the network for it.
func TestErrorAddressIsNotResolved(t *testing.T) {
	for _, text := range []string{"localhost:80", "no-such-host.invalid:80", "127.0.0.1:http", "", "nonsense"} {
		err := &net.OpError{Op: "listen", Net: "tcp", Addr: address{"tcp", text}, Err: syscall.EADDRINUSE}
		var op *net.OpError
		if !errors.As(overTheLink(t, err), &op) || op.Addr != (address{"tcp", text}) {
			t.Errorf("%q: address %T %v", text, op.Addr, op.Addr)
		}
	}
}

// TestErrorOfANewerPeer: a kind that is not known leaves its text.
func TestErrorOfANewerPeer(t *testing.T) {
	for _, body := range []wire.FailedBody{
		{Kind: "quantum", Op: "listen", Net: "tcp", Text: "both open and closed"},
		{Kind: kindKnown, Op: "listen", Net: "tcp", Name: "fs.ErrQuantum", Text: "both open and closed"},
	} {
		if got, want := Decode(body).Error(), "listen tcp: both open and closed"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// An error fits into a frame, however long its parts are.
func TestLongErrors(t *testing.T) {
	long := strings.Repeat("\x01", 1<<20)
	for _, err := range []error{
		errors.New(long), &net.OpError{Op: long, Net: long, Addr: &net.UnixAddr{Name: long, Net: long}, Err: &net.DNSError{Err: long, Name: long, Server: long}},
	} {
		if n := len(wire.Body(Encode(err))); n > wire.MaxControl {
			t.Errorf("%T: %d bytes", err, n)
		}
	}
}
