package bind_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// Without options it is net.Listen.
func TestPlain(t *testing.T) {
	for _, tc := range [][2]string{{"tcp", "127.0.0.1:0"}, {"nosuch", ""}, {"tcp", "nonsense"}} {
		_, want := net.Listen(tc[0], tc[1])
		ln, err := bind.Config{}.Listen(context.Background(), tc[0], tc[1])
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Errorf("%v: %v, net says %v", tc, err, want)
		}
		if err == nil {
			ln.Close()
		}
	}
}

// The options hold for a process without a master too.
func TestMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes here")
	}
	dir, err := os.MkdirTemp("", "b") // short: t.TempDir is not, everywhere
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ln, err := bind.Config{Mode: 0o666, Backlog: 7}.Listen(context.Background(), "unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if info, err := os.Stat(filepath.Join(dir, "s")); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
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
