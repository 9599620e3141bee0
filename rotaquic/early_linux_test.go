//go:build linux

package rotaquic

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// serveLate is serveEcho, but in slot 1 it accepts only when there is a file.
func serveLate() {
	dir := os.Getenv(e2etest.FlagsEnv)
	addr, err := os.ReadFile(filepath.Join(dir, "address"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	ln, err := Listen(string(addr), certificate(), &quic.Config{MaxIdleTimeout: e2etest.Stuck, DisablePathMTUDiscovery: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Fprintln(os.Stderr, "listens in slot", worker.Self().Slot())
	for worker.Self().Slot() == 1 {
		if _, err := os.Stat(filepath.Join(dir, "go")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	acceptAll(ln)
}

// The connections that there are don't wait for a worker that is added and doesn't accept yet, though the kernel chooses
// its socket for some of their packets.
func TestWorkerThatDoesNotAcceptYet(t *testing.T) {
	dir, addr := t.TempDir(), e2etest.FreeAddress(t)
	if err := os.WriteFile(filepath.Join(dir, "address"), []byte(addr), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := configOf(1)
	cfg.Spread = master.SpreadSlots
	p := e2etest.Start(t, "late", cfg, e2etest.FlagsEnv+"="+dir)
	p.WaitLog(e2etest.WorkerReady, 1)
	var all []*quic.Conn
	for range 16 {
		all = append(all, dial(t, addr))
	}
	p.Signal(syscall.SIGTTIN)
	p.WaitOutput("listens in slot 1", 1)
	for range 4 {
		all = append(all, dial(t, addr))
	}
	for i, c := range all {
		if err := echoes(c, "hello"); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		c.CloseWithError(0, "")
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}
