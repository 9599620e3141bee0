package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// Another user is told that the master isn't his to command, by an exit status of its own.
func TestDenied(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it starts processes of another user")
	s := start(t, nil)
	exe := e2etest.Build(t, ".")
	for dir := filepath.Dir(exe); dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		e2etest.NoError(t, os.Chmod(dir, 0o755))
	}
	for _, order := range []string{"status", "reload", "stop"} {
		cmd := exec.Command(exe, order, "-socket", s.path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != 4 {
			t.Errorf("%s: exit status %d, want %d: %s", order, got, 4, out)
		}
	}
	s.rota(done, "status")
}
