//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// When the reader of the master's log has gone (a logger that restarts, a pager that was
// closed), the next line that the master logs doesn't end the service.
func TestClosedLogDoesNotEndTheService(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	r, w, err := os.Pipe()
	e2etest.NoError(t, err)
	cmd := e2etest.Command(t, "listen", server.Quick(1), e2etest.FlagsEnv+"=unix "+path)
	cmd.Stdout, cmd.Stderr = w, w
	p := e2etest.Run(t, cmd)
	e2etest.WaitFor(t, "an answer", func() bool { _, err := e2etest.Request("unix", path, "/"); return err == nil })
	w.Close()
	r.Close()
	p.Signal(syscall.SIGTTIN) // which is logged
	e2etest.WaitFor(t, "a second worker", func() bool { return len(p.Children()) == 2 })
	if _, err := e2etest.Request("unix", path, "/"); err != nil {
		t.Error(err)
	}
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}
