//go:build linux

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// startHello builds examples/hello, as a reader of the README would run it, and starts
// it.
func startHello(t testing.TB) *process {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build examples/hello with")
	}
	exe := filepath.Join(t.TempDir(), "hello")
	if out, err := exec.Command("go", "build", "-o", exe, "../examples/hello").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	p := run(t, exec.Command(exe, "-addr", "127.0.0.1:0"))
	p.waitLog("worker ready", 1)
	return p
}

// The README's first page: it answers with its pid, and another one after kill -HUP.
func TestHello(t *testing.T) {
	t.Parallel()
	p := startHello(t)
	before, err := request("tcp", p.addr(), "/")
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.waitLog("reload done", 1)
	p.waitLog("worker left", 1)
	after, err := request("tcp", p.addr(), "/")
	if err != nil {
		t.Fatal(err)
	}
	if before == after || !strings.HasPrefix(after, "hello from process ") {
		t.Errorf("before %q, after %q: want another pid", before, after)
	}
}
