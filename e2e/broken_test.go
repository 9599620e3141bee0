//go:build linux

package e2e

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/master"
)

// Section 7: a broken new version takes nothing down. The old workers serve on, the
// master says why, and the next good reload works.

// disk is a file that stands for the release on disk: helper "version" does what it
// says.
type disk struct {
	t    *testing.T
	path string
}

func release(t *testing.T, kind string) disk {
	d := disk{t, filepath.Join(t.TempDir(), "release")}
	d.write(kind)
	return d
}

func (d disk) write(kind string) {
	if err := os.WriteFile(d.path, []byte(kind), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func TestBrokenRelease(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, why string }{
		{"exits", "died: exit status 3"},
		{"hangs", "not ready in time"},
		{"dies", "died: exit status 4"},
	} {
		for _, workers := range []int{1, 2} {
			t.Run(tc.kind+" "+plural(workers), func(t *testing.T) {
				t.Parallel()
				d := release(t, "good")
				cfg := master.Config{
					Workers: workers, MinUptime: time.Second, // five times what "dies" lives
					ReadyTimeout: 2 * time.Second, KillAfter: 100 * time.Millisecond,
				}
				p := start(t, "version", cfg, flagsEnv+"="+d.path)
				l := startLoad(p.addr(), "/", 8)
				d.write(tc.kind)
				p.signal(syscall.SIGHUP)
				p.waitLog("reload failed", 1)
				p.waitLog(tc.why, 1)
				d.write("good")
				p.reload()
				l.mustBeWhole(t)
			})
		}
	}
}

// copyFile copies an executable. No process is started meanwhile: until it has executed
// something it would have the file open too, as text that is busy.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
