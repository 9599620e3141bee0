//go:build linux

package operations

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// Reloads and upgrades follow the symbolic link of a deployment to the next release and
// back.
func TestSymlinkSwitch(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		e2etest.CopyFile(t, e2etest.Self(t), filepath.Join(dir, name, "server"))
	}
	point := func(name string) {
		temp := filepath.Join(dir, "next")
		if err := os.Symlink(name, temp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
	}
	point("one")
	p := e2etest.StartExe(t, filepath.Join(dir, "current", "server"), "serve", server.Quick(2))
	l := e2etest.StartLoad(p.Addr(), "/", 8)
	for i := range 6 {
		name := []string{"two", "one"}[i%2]
		point(name)
		if i%3 == 2 {
			p.Upgrade()
		} else {
			p.Reload()
		}
		p.WaitChildren(2)
		for _, pid := range p.Children() {
			if exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); filepath.Base(filepath.Dir(exe)) != name {
				t.Errorf("worker %d runs %s, want release %s", pid, exe, name)
			}
		}
	}
	l.MustBeWhole(t)
}

// After a crash the master starts the executable of the worker's generation, whatever is on
// disk now, and under its name.
func TestCrashIsRespawnedFromItsOwnRelease(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, exe string)
	}{
		{"replaced by garbage", func(t *testing.T, exe string) { e2etest.ReplaceFile(t, exe, "garbage", 0o755) }},
		{"removed", func(t *testing.T, exe string) { e2etest.NoError(t, os.Remove(exe)) }},
		{"folder removed", func(t *testing.T, exe string) { e2etest.NoError(t, os.RemoveAll(filepath.Dir(exe))) }},
		{"not executable", func(t *testing.T, exe string) { e2etest.ReplaceFile(t, exe, "#!/bin/sh\n", 0o644) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "release", "server")
			e2etest.NoError(t, os.Mkdir(filepath.Dir(exe), 0o755))
			e2etest.CopyFile(t, e2etest.Self(t), exe)
			cfg := server.Quick(1)
			cfg.Dir = "/"
			p := e2etest.StartExe(t, exe, "operated", cfg)
			tc.spoil(t, exe)
			e2etest.Kill(t, p.Children()[0])
			p.WaitLog(e2etest.WorkerReady, 2)
			name, err := e2etest.Request("tcp", p.Addr(), "/name")
			if err != nil || strings.TrimSpace(name) != "server:w0" {
				t.Errorf("ps shows %q, %v; want server:w0", name, err)
			}
		})
	}
}

// If the working directory was removed, workers still start in it. A new master can't, and
// the old one logs the reason.
func TestWorkingDirectoryIsRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "release")
	e2etest.NoError(t, os.Mkdir(dir, 0o755))
	cmd := e2etest.Command(t, "serve", server.Quick(2))
	cmd.Dir = dir
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 2)
	e2etest.NoError(t, os.Remove(dir))
	e2etest.Kill(t, p.Children()[0])
	p.WaitLog(e2etest.WorkerReady, 3)
	p.Reload()
	p.Reload()
	p.WaitChildren(2)
	if p.LoggedTogether(e2etest.WorkerDied, e2etest.WorkerNotStarted) {
		t.Errorf("a worker could not be started:\n%s", p.Log)
	}
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.UpgradeFailed, 1)
	if !p.LoggedTogether(e2etest.UpgradeFailed, e2etest.NoWorkingDirectory(dir)) {
		t.Errorf("the log doesn't say why:\n%s", p.Log)
	}
}

// A reload to an executable that can't be started fails and logs the reason. The service
// goes on, and the next good executable is used.
func TestReleaseThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		why   e2etest.Line
		spoil func(t *testing.T, exe string) (undo func())
	}{
		{"half written", e2etest.ReloadFailed, func(t *testing.T, exe string) func() {
			b, err := os.ReadFile(e2etest.Self(t))
			e2etest.NoError(t, err)
			e2etest.ReplaceFile(t, exe, string(b[:len(b)/3]), 0o755)
			return nil
		}},
		{"garbage", e2etest.NotExecutable, func(t *testing.T, exe string) func() {
			e2etest.ReplaceFile(t, exe, "garbage", 0o755)
			return nil
		}},
		{"no execute bit", e2etest.PermissionDenied, func(t *testing.T, exe string) func() {
			e2etest.ReplaceFile(t, exe, "garbage", 0o644)
			return nil
		}},
		{"removed", e2etest.NoSuchFile, func(t *testing.T, exe string) func() {
			e2etest.NoError(t, os.Remove(exe))
			return nil
		}},
		{"folder removed", e2etest.NoSuchFile, func(t *testing.T, exe string) func() {
			e2etest.NoError(t, os.RemoveAll(filepath.Dir(exe)))
			return func() { e2etest.NoError(t, os.Mkdir(filepath.Dir(exe), 0o755)) }
		}},
		{"text busy", e2etest.TextFileBusy, func(t *testing.T, exe string) func() {
			e2etest.ReplaceFile(t, exe, "", 0o755)
			f, err := os.OpenFile(exe, os.O_WRONLY, 0)
			e2etest.NoError(t, err)
			b, err := os.ReadFile(e2etest.Self(t))
			e2etest.NoError(t, err)
			_, err = f.Write(b)
			e2etest.NoError(t, err)
			return func() { e2etest.NoError(t, f.Close()); e2etest.NoError(t, os.Remove(exe)) }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "release", "server")
			e2etest.NoError(t, os.Mkdir(filepath.Dir(exe), 0o755))
			e2etest.CopyFile(t, e2etest.Self(t), exe)
			cfg := server.Quick(2)
			cfg.Dir = "/"
			p := e2etest.StartExe(t, exe, "serve", cfg)
			l := e2etest.StartLoad(p.Addr(), "/", 8)
			undo := tc.spoil(t, exe)
			p.Signal(syscall.SIGHUP)
			p.WaitLog(e2etest.ReloadFailed, 1)
			if !p.LoggedTogether(e2etest.ReloadFailed, tc.why) {
				t.Errorf("the log doesn't say %q:\n%s", tc.why, p.Log)
			}
			if undo != nil {
				undo()
			}
			e2etest.CopyFile(t, e2etest.Self(t), exe+".new")
			e2etest.NoError(t, os.Rename(exe+".new", exe))
			p.Reload()
			l.MustBeWhole(t)
		})
	}
}
