//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Whoever reads the master's log lines has gone (a restarted logger, a closed pager). The
// next line must not be the end of the service.
func TestLogReaderIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	r, w, err := os.Pipe()
	noError(t, err)
	cmd := command(t, "listen", quick(1), flagsEnv+"=unix "+path)
	cmd.Stdout, cmd.Stderr = w, w
	p := run(t, cmd)
	waitFor(t, "an answer", func() bool { _, err := request("unix", path, "/"); return err == nil })
	w.Close()
	r.Close()
	p.signal(syscall.SIGTTIN) // which is logged
	waitFor(t, "a second worker", func() bool { return len(p.living()) == 2 })
	if _, err := request("unix", path, "/"); err != nil {
		t.Error(err)
	}
	p.signal(syscall.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
}
