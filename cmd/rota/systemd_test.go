//go:build linux

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// execReload matches the line of the unit in docs/systemd.md.
var execReload = regexp.MustCompile(`(?m)^ExecReload=/usr/local/bin/rota (.*)$`)

// systemd runs ExecReload= of the documentation with the variables of the service. It fails when
// the reload fails, or isn't over in time, and then so does systemctl reload.
func TestExecReload(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/systemd.md")
	e2etest.NoError(t, err)
	m := execReload.FindSubmatch(page)
	if m == nil {
		t.Fatal("docs/systemd.md has no ExecReload=/usr/local/bin/rota")
	}
	args := strings.Fields(string(m[1]))
	env := "RUNTIME_DIRECTORY=" + t.TempDir()
	release := server.NewRelease(t, "good")
	p := e2etest.Start(t, "version", server.Quick(2), release.Flags, env)
	exe := e2etest.Build(t, ".")
	reload := func(more ...string) (status int, output string) {
		cmd := exec.Command(exe, append(args, more...)...)
		cmd.Env = []string{env}
		out, _ := cmd.CombinedOutput() // the status says it
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if status, out := reload(); status != done {
		t.Errorf("a good release: exit status %d\n%s", status, out)
	}
	release.Write("exits")
	if status, out := reload(); status != failed || !strings.Contains(out, "died: exit status 3") {
		t.Errorf("a broken release: exit status %d\n%s", status, out)
	}
	release.Write("hangs")
	if status, out := reload("-timeout", "100ms"); status != running {
		t.Errorf("one that hangs: exit status %d\n%s", status, out)
	}
	p.Signal(9)
	<-p.Ended
	if status, out := reload(); status != noMaster {
		t.Errorf("no master: exit status %d\n%s", status, out)
	}
}
