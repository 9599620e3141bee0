//go:build linux

package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// After an upgrade and a reload, and after a reload that has failed, workers that have died are
// started again from the executable that the new master has kept, whichever descriptors from
// 3 to 20 the first master was started with. There is another file under its name.
func TestRespawnAfterUpgrade(t *testing.T) {
	t.Parallel()
	for _, taken := range []int{0, 1, 2, 18} {
		t.Run(fmt.Sprint(taken), func(t *testing.T) {
			t.Parallel()
			d := server.NewRelease(t, "good")
			cmd := e2etest.Command(t, "version", master.Config{
				Workers: 2, MinUptime: -1, KillAfter: 100 * time.Millisecond,
			}, d.Flags)
			exe := filepath.Join(t.TempDir(), "server")
			e2etest.CopyFile(t, e2etest.Self(t), exe)
			cmd.Path, cmd.Args[0] = exe, exe
			null, err := os.Open(os.DevNull)
			e2etest.NoError(t, err)
			defer null.Close()
			for range taken {
				cmd.ExtraFiles = append(cmd.ExtraFiles, null)
			}
			p := e2etest.Run(t, cmd)
			p.WaitLog(e2etest.WorkerReady, 2)
			p.Upgrade()
			p.Reload()
			e2etest.ReplaceFile(t, exe, "#!/bin/sh\nexit 1\n", 0o755)
			mustRespawn(t, p)
			p.Signal(syscall.SIGHUP)
			p.WaitLog(e2etest.ReloadFailed, 1)
			mustRespawn(t, p)
			_, err = e2etest.Request("tcp", p.Addr(), "/")
			e2etest.NoError(t, err)
		})
	}
}

// mustRespawn kills both workers, and waits for those that follow.
func mustRespawn(t *testing.T, p *e2etest.Process) {
	t.Helper()
	p.WaitChildren(2)
	ready := p.Logged(e2etest.WorkerReady)
	for _, pid := range p.Children() {
		e2etest.Kill(t, pid)
	}
	p.WaitLog(e2etest.WorkerReady, ready+2)
}
