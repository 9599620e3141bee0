//go:build linux

package e2e

import (
	"log"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
)

const pathEnv = "ROTA_E2E_PATH"

func init() { helpers["unix-version"] = unixVersion }

// unixVersion is version on a unix socket.
func unixVersion() {
	behave()
	ln, err := rota.Listen("unix", os.Getenv(pathEnv))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(answer)))
}

// Sockets that are more than a port, and upgrades of the master.

func TestUpgradeKeepsUnixFile(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	p := start(t, "listen", quick(2), flagsEnv+"=unix "+path)
	was, err := os.Stat(path)
	noError(t, err)
	l := &load{network: "unix", addr: path, path: "/", stop: make(chan struct{}), generations: map[string]int{}}
	for range 8 {
		l.group.Add(1)
		go l.loop()
	}
	for range 3 {
		p.upgrade()
	}
	p.reload()
	l.mustBeWhole(t)
	is, err := os.Stat(path)
	noError(t, err)
	if !os.SameFile(was, is) {
		t.Error("the file is another one")
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is left")
	}
}

// A new master that fails takes no file with it.
func TestBrokenUpgradeLeavesUnixFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "s")
	d := release(t, "good")
	cfg := master.Config{Workers: 1, MinUptime: time.Second, ReadyTimeout: 2 * time.Second, KillAfter: 100 * time.Millisecond}
	p := start(t, "unix-version", cfg, flagsEnv+"="+d.path, pathEnv+"="+path)
	for i, kind := range []string{"exits", "dies", "hangs"} {
		d.write(kind)
		p.signal(syscall.SIGUSR2)
		p.waitLog("upgrade failed", i+1)
		if _, err := request("unix", path, "/"); err != nil {
			t.Errorf("after a new master of which a worker %s: %v", kind, err)
		}
	}
	d.write("good")
	p.upgrade()
	if _, err := request("unix", path, "/"); err != nil {
		t.Error(err)
	}
}

// Given sockets keep their numbers and names, also those that nobody has asked for yet.
func TestUpgradeKeepsGivenSockets(t *testing.T) {
	t.Parallel()
	web, addr := socketFile(t, "tcp", "127.0.0.1:0")
	other, oaddr := socketFile(t, "tcp", "127.0.0.1:0")
	dns, uaddr := socketFile(t, "udp", "127.0.0.1:0")
	local, path := socketFile(t, "unix", filepath.Join(shortDir(t), "s"))
	p := give(t, 1, "web:other:dns:local", web, other, dns, local)
	p.labs(1)[0].listen("web", "fd", "3")
	for range 2 {
		p.upgrade()
		p.settled(1)
		lab := p.labs(1)[0]
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
			t.Errorf("a descriptor that nobody was given: %s", got)
		}
	}
	p.signal(syscall.SIGTERM)
	p.wait()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of a given socket: %v", err)
	}
}
