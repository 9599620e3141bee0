//go:build linux

package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// startHello builds and starts examples/hello as the README says.
func startHello(t testing.TB) *e2etest.Process {
	t.Helper()
	p := e2etest.Run(t, exec.Command(e2etest.Build(t, "../examples/hello"), "-addr", "127.0.0.1:0"))
	p.WaitLog(e2etest.WorkerReady, 1)
	return p
}

// examples/hello answers with its pid, and after SIGHUP with the pid of a new worker.
func TestHello(t *testing.T) {
	t.Parallel()
	p := startHello(t)
	before, err := e2etest.Request("tcp", p.Addr(), "/")
	if err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadDone, 1)
	p.WaitLog(e2etest.WorkerLeft, 1)
	after, err := e2etest.Request("tcp", p.Addr(), "/")
	if err != nil {
		t.Fatal(err)
	}
	if before == after || !strings.HasPrefix(after, "hello from process ") {
		t.Errorf("before %q, after %q: want another pid", before, after)
	}
}
