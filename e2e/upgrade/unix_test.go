//go:build linux

package upgrade

import (
	"log"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

const pathEnv = "ROTA_E2E_PATH"

// unixVersion is Version on a unix socket.
func unixVersion() {
	server.Behave()
	ln, err := rota.Listen("unix", os.Getenv(pathEnv))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

func TestUpgradeKeepsUnixFile(t *testing.T) {
	path := filepath.Join(e2etest.ShortDir(t), "s")
	p := e2etest.Start(t, "listen", server.Quick(2), e2etest.FlagsEnv+"=unix "+path)
	was, err := os.Stat(path)
	e2etest.NoError(t, err)
	l := e2etest.StartLoadOn("unix", path, "/", 8)
	for range 3 {
		p.Upgrade()
	}
	p.Reload()
	l.MustBeWhole(t)
	is, err := os.Stat(path)
	e2etest.NoError(t, err)
	if !os.SameFile(was, is) {
		t.Error("the file was replaced")
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if e2etest.Exists(path) {
		t.Error("the file is left")
	}
}

// A new master that fails doesn't remove the file of a unix socket.
func TestBrokenUpgradeLeavesUnixFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(e2etest.ShortDir(t), "s")
	d := server.NewRelease(t, "good")
	cfg := master.Config{Workers: 1, MinUptime: time.Second, ReadyTimeout: 2 * time.Second, KillAfter: 100 * time.Millisecond}
	p := e2etest.Start(t, "unix-version", cfg, d.Flags, pathEnv+"="+path)
	for i, kind := range []string{"exits", "dies", "hangs"} {
		d.Write(kind)
		p.Signal(syscall.SIGUSR2)
		p.WaitLog(e2etest.UpgradeFailed, i+1)
		if _, err := e2etest.Request("unix", path, "/"); err != nil {
			t.Errorf("after a new master of which a worker %s: %v", kind, err)
		}
	}
	d.Write("good")
	p.Upgrade()
	if _, err := e2etest.Request("unix", path, "/"); err != nil {
		t.Error(err)
	}
}
