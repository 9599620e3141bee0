//go:build linux

package process

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// A worker's standard input is at its end, whatever the master's is.
func TestStdinIsEmpty(t *testing.T) {
	t.Parallel()
	cmd := e2etest.Command(t, "stdin", server.Quick(1))
	cmd.Stdin = strings.NewReader("for the master")
	e2etest.Run(t, cmd).WaitOutput(`standard input: "", error <nil>`, 1)
}

// With Config.Stdin workers read the master's standard input.
func TestStdinOfTheMaster(t *testing.T) {
	t.Parallel()
	cfg := server.Quick(1)
	cfg.Stdin = true
	cmd := e2etest.Command(t, "stdin", cfg)
	cmd.Stdin = strings.NewReader("commands")
	e2etest.Run(t, cmd).WaitOutput(`standard input: "commands", error <nil>`, 1)
}

// Without /dev/null and /proc, as in a bare chroot, a program starts, its worker is started
// again after a crash, and it reloads.
func TestWithoutDevicesAndProc(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it mounts over /dev and /proc")
	const hide = "mount -t tmpfs none /dev && mount -t tmpfs none /proc"
	if out, err := exec.Command("unshare", "--mount", "sh", "-c", hide).CombinedOutput(); err != nil {
		t.Skipf("no mount namespaces here: %v: %s", err, out)
	}
	cmd := e2etest.Command(t, "stdin", server.Quick(1))
	cmd.Args = []string{"unshare", "--mount", "sh", "-c", hide + ` && exec "$0"`, cmd.Path}
	var err error
	cmd.Path, err = exec.LookPath("unshare")
	e2etest.NoError(t, err)
	p := e2etest.Run(t, cmd)
	p.WaitOutput(`standard input: "", error <nil>`, 1)
	p.WaitLog(e2etest.WorkerReady, 1)
	e2etest.Kill(t, p.Children()[0])
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Reload()
}
