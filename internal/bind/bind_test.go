package bind_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
)

// Without options, Listen returns what net.Listen returns.
func TestPlain(t *testing.T) {
	for _, tc := range [][2]string{{"tcp", "127.0.0.1:0"}, {"nosuch", ""}, {"tcp", "nonsense"}} {
		_, want := net.Listen(tc[0], tc[1])
		ln, err := bind.Options{}.Listen(context.Background(), tc[0], tc[1])
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Errorf("%v: %v, net says %v", tc, err, want)
		}
		if err == nil {
			ln.Close()
		}
	}
}

// Mode and Backlog apply in a process without a master too.
func TestMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes here")
	}
	dir, err := os.MkdirTemp("", "b") // short: t.TempDir is not, everywhere
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ln, err := bind.Options{Mode: 0o666, Backlog: 7}.Listen(context.Background(), "unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if info, err := os.Stat(filepath.Join(dir, "s")); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Control is called before bind(2) for a socket that this process binds. Its error is
// that of Listen, and then nothing is bound (docs/contract.md#sharing-10).
func TestControlBeforeBind(t *testing.T) {
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	failure := errors.New("on purpose")
	calls := 0
	o := bind.Options{Control: func(network, address string, c syscall.RawConn) error {
		calls++
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) || network != "unix" || address != path || c == nil {
			t.Errorf("Control(%s, %s, %v), and the file: %v; want a call before bind", network, address, c, err)
		}
		return failure
	}}
	if _, err := o.Listen(context.Background(), "unix", path); !errors.Is(err, failure) || calls != 1 {
		t.Errorf("Listen: %v after %d calls of Control, want the error of one call", err, calls)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file after a failed Listen: %v", err)
	}
}

// AfterBind calls Control with a socket that is bound already.
func TestControlAfterBind(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	failure := errors.New("on purpose")
	var descriptors int
	o := bind.Options{Control: func(network, address string, c syscall.RawConn) error {
		_ = c.Control(func(uintptr) { descriptors++ })
		return failure
	}}
	if err := o.AfterBind("tcp", "127.0.0.1:0", ln); !errors.Is(err, failure) || descriptors != 1 {
		t.Errorf("AfterBind: %v, the descriptor was used %d times", err, descriptors)
	}
	if err := (bind.Options{}).AfterBind("tcp", "127.0.0.1:0", ln); err != nil {
		t.Errorf("AfterBind without Control: %v", err)
	}
}

func TestNumber(t *testing.T) {
	for address, want := range map[string]int{"0": 0, "7": 7, "2147483647": 1<<31 - 1} {
		if n, err := bind.Number(address); n != want || err != nil {
			t.Errorf("%s: %d, %v", address, n, err)
		}
	}
	for _, address := range []string{"", "-1", "+1", "web", "2147483648", "1 ", "0x1"} {
		if n, err := bind.Number(address); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%q: %d, %v, want EINVAL", address, n, err)
		}
	}
}

// The JSON of a Request is the body of the link's listen frame. It doesn't have the
// options that only the program's process uses. A change here changes the protocol.
func TestRequestOnTheLink(t *testing.T) {
	r := bind.NewRequest("unix", "a.sock", true, bind.Options{
		Exclusive: true, Opaque: true, Stay: true, Backlog: 128, Mode: fs.ModeSocket | 0o660,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true}, CloseWithin: time.Second,
		Control: func(string, string, syscall.RawConn) error { return nil },
	})
	dir, err := os.Getwd()
	if err != nil || r.Dir != dir {
		t.Errorf("the directory is %q, want %q (%v)", r.Dir, dir, err)
	}
	r.Dir = "/d"
	got, err := json.Marshal(r)
	if want := `{"network":"unix","address":"a.sock","packet":true,"dir":"/d","backlog":128,"mode":432}`; string(got) != want || err != nil {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	for _, address := range []string{"/abs", "@abstract", ""} {
		if r := bind.NewRequest("unix", address, false, bind.Options{}); r.Dir != "" {
			t.Errorf("%q comes with the directory %q", address, r.Dir)
		}
	}
}

// Control is called before bind(2), and its error is Listen's.
func TestControl(t *testing.T) {
	called := ""
	o := bind.Options{Control: func(network, address string, _ syscall.RawConn) error {
		called = network + " " + address
		return syscall.EPERM
	}}
	if _, err := o.Listen(context.Background(), "tcp", "127.0.0.1:0"); !errors.Is(err, syscall.EPERM) {
		t.Errorf("Listen: %v, want EPERM", err)
	}
	if called != "tcp4 127.0.0.1:0" {
		t.Errorf("called with %q", called)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := o.AfterBind("tcp", ":80", ln); !errors.Is(err, syscall.EPERM) || called != "tcp :80" {
		t.Errorf("AfterBind: %v, called with %q", err, called)
	}
}
