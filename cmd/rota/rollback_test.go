//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// run reports whether all workers run the executable of info.
func (s *service) run(info os.FileInfo) bool {
	for _, w := range s.status().Workers {
		exe, err := os.Stat(fmt.Sprintf("/proc/%d/exe", w.PID))
		if err == nil && w.IsServing() && !os.SameFile(exe, info) {
			return false
		}
	}
	return true
}

// A rollback returns to the executable of the release before, whose file was removed, and a
// second one to the other. No request fails.
func TestRollback(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, stat := filepath.Join(dir, "server"), func() os.FileInfo {
		info, err := os.Stat(filepath.Join(dir, "server"))
		e2etest.NoError(t, err)
		return info
	}
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	s := &service{t: t, path: filepath.Join(dir, "rota.sock"), release: server.NewRelease(t, "good")}
	cfg := server.Quick(2)
	cfg.Control = s.path
	s.Process = e2etest.StartExe(t, exe, "version", cfg, s.release.Flags)
	_, errs := s.rota(failed, "rollback")
	contains(t, errs, "no release before this one")
	one := stat()
	e2etest.NoError(t, os.Remove(exe))
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	two := stat()
	l := e2etest.StartLoad(s.Addr(), "/", 4)
	s.rota(done, "reload")
	if s.run(one) || !s.run(two) {
		t.Error("the reload doesn't run the new file")
	}
	e2etest.NoError(t, os.Remove(exe))
	for _, want := range []os.FileInfo{one, two} {
		out, _ := s.rota(done, "rollback")
		contains(t, out, "has replaced the old one (2 of 2)")
		if !s.run(want) {
			t.Error("the workers run another file")
		}
	}
	l.MustBeWhole(t)
	out, _ := s.rota(done, "history")
	contains(t, out, "rollback to generation 3 by uid", "rollback to generation 4 by uid")
}

// After an upgrade of the master, a rollback returns to the executable of the workers before, and after an upgrade that has
// changed nothing to the one before that. No request fails.
func TestRollbackAfterUpgrade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe := filepath.Join(dir, "server")
	deploy := func() os.FileInfo {
		_ = os.Remove(exe)
		e2etest.CopyFile(t, e2etest.Self(t), exe)
		info, err := os.Stat(exe)
		e2etest.NoError(t, err)
		return info
	}
	one := deploy()
	s := &service{t: t, path: filepath.Join(dir, "rota.sock"), release: server.NewRelease(t, "good")}
	cfg := server.Quick(2)
	cfg.Control = s.path
	s.Process = e2etest.StartExe(t, exe, "version", cfg, s.release.Flags)
	l := e2etest.StartLoad(s.Addr(), "/", 4)
	two := deploy()
	s.rota(done, "upgrade")
	if !s.run(two) {
		t.Error("the upgrade doesn't run the new file")
	}
	s.rota(done, "upgrade")
	s.rollsBackTo(one)
	s.rollsBackTo(two)
	three := deploy()
	s.rota(done, "reload")
	e2etest.NoError(t, os.Remove(exe))
	s.rollsBackTo(two)
	s.rollsBackTo(three)
	l.MustBeWhole(t)
}

// rollsBackTo fails the test unless a rollback runs the file of info. The release before is known a moment after an upgrade.
func (s *service) rollsBackTo(info os.FileInfo) {
	s.t.Helper()
	none := []string{"rollback", "-socket", s.path}
	e2etest.WaitFor(s.t, "a release before", func() bool {
		var out, errs bytes.Buffer
		code := run(none, &out, &errs, os.Getenv)
		if code != done && !strings.Contains(errs.String(), "no release before") {
			s.t.Fatalf("exit status %d: %s", code, &errs)
		}
		return code == done
	})
	if !s.run(info) {
		s.t.Error("the workers run another file")
	}
}
