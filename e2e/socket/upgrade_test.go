//go:build linux

package socket

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// Sockets that a supervisor passed keep their numbers and names when the master is upgraded,
// also those that no worker has asked for.
func TestUpgradeKeepsInheritedSockets(t *testing.T) {
	t.Parallel()
	web, addr := socketFile(t, "tcp", "127.0.0.1:0")
	other, oaddr := socketFile(t, "tcp", "127.0.0.1:0")
	dns, uaddr := socketFile(t, "udp", "127.0.0.1:0")
	local, path := socketFile(t, "unix", filepath.Join(e2etest.ShortDir(t), "s"))
	p := give(t, 1, "web:other:dns:local", web, other, dns, local)
	labsOf(p, 1)[0].listen("web", "fd", "3")
	for range 2 {
		p.Upgrade()
		p.WaitChildren(1)
		lab := labsOf(p, 1)[0]
		for _, row := range [][4]string{
			{"number", "fd", "3", addr}, {"unasked", "fd", "4", oaddr}, {"packet", "fdgram", "5", uaddr}, {"local", "fd", "local", path},
		} {
			if got := lab.listen(row[0], row[1], row[2]); got != row[3] {
				t.Errorf("%v: Addr is %s", row, got)
			}
		}
		if _, err := askOnce("tcp", oaddr); err != nil {
			t.Error(err)
		}
		if got, err := lab.try("listen", "name", "x", "network", "fd", "address", "7"); err == nil {
			t.Errorf("Listen succeeds on a descriptor that was not inherited: %s", got)
		}
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of an inherited socket: %v", err)
	}
}
