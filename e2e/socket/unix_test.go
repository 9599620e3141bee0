//go:build linux

package socket

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

var unixNetworks = []string{"unix", "unixpacket", "unixgram"}

// The file that a killed master has left is replaced. A master that ends removes its file.
func TestUnixFileOfAKilledMasterIsReplaced(t *testing.T) {
	t.Parallel()
	for _, network := range unixNetworks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			path := e2etest.ShortDir(t) + "/s"
			flags := e2etest.FlagsEnv + "=a " + network + " " + path
			for range 3 {
				p := e2etest.Start(t, "lab", server.Quick(2), flags)
				if _, err := askOnce(network, path); err != nil {
					t.Fatal(err)
				}
				workers := p.Children()
				p.Signal(syscall.SIGKILL)
				<-p.Ended
				e2etest.WaitFor(t, "the workers to be gone", func() bool { return !e2etest.Alive(workers[0]) && !e2etest.Alive(workers[1]) })
				if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSocket == 0 {
					t.Fatalf("no file is left to replace: %v", err)
				}
			}
			p := e2etest.Start(t, "lab", server.Quick(2), flags)
			if _, err := askOnce(network, path); err != nil {
				t.Fatal(err)
			}
			p.Reload()
			if _, err := askOnce(network, path); err != nil {
				t.Fatalf("after a reload: %v", err)
			}
			p.Signal(syscall.SIGTERM)
			p.Wait()
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// A path with a live socket is EADDRINUSE and is not changed, whatever the kind of the
// socket, also if its queue is full or it doesn't listen yet.
func TestLiveUnixSocketIsInUse(t *testing.T) {
	dir := e2etest.ShortDir(t)
	owners := map[string]func(path string){
		"listening": func(path string) { mustTake(t, "unix", path) },
		"packets":   func(path string) { mustTake(t, "unixpacket", path) },
		"datagrams": func(path string) { mustTake(t, "unixgram", path) },
		"bound":     func(path string) { bindOnly(t, path) },
		"full":      func(path string) { mustTake(t, "unix", path); fill(t, "unix", path) },
	}
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for owner, open := range owners {
		path := dir + "/" + owner
		open(path)
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, network := range unixNetworks {
			_, err := lab.try("listen", "name", "x", "network", network, "address", path)
			want := fmt.Sprintf("listen %s %s: bind: address already in use", network, path)
			if err == nil || err.Error() != want {
				t.Errorf("%s on %s: %v, want %s", network, owner, err, want)
			}
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: the file was replaced: %v", owner, err)
		}
	}
}

// bindOnly binds a stream socket that doesn't listen (yet).
func bindOnly(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
}

// The master removes the file only if it is still the one that it has bound.
func TestUnixFileOfOthersStays(t *testing.T) {
	path := e2etest.ShortDir(t) + "/s"
	p := e2etest.Start(t, "lab", server.Quick(1), e2etest.FlagsEnv+"=a unix "+path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustTake(t, "unix", path)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if _, err := net.Dial("unix", path); err != nil {
		t.Errorf("the socket of the other process: %v", err)
	}
}

// Of many masters that start at the same time on a stale file, one gets the socket, and the
// others fail without changing it.
func TestOneOfManyMastersGetsTheUnixFile(t *testing.T) {
	t.Parallel()
	rounds := 10
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		path := e2etest.ShortDir(t) + "/s"
		stale(t, path)
		const masters = 6
		all := make([]*e2etest.Process, masters)
		for i := range masters {
			all[i] = e2etest.Launch(t, "lab", server.Quick(1), e2etest.FlagsEnv+"=a unix "+path)
		}
		won := make([]bool, masters)
		for i, p := range all {
			e2etest.WaitFor(t, "a master to be up or out", func() bool {
				won[i] = p.Logged(e2etest.WorkerReady) > 0
				return won[i] || p.Logged(e2etest.AddressInUse) > 0
			}, p.Log.String)
		}
		if n := strings.Count(fmt.Sprint(won), "true"); n != 1 {
			t.Fatalf("%d masters have the socket: %v", n, won)
		}
		who, err := askOnce("unix", path)
		if err != nil {
			t.Fatalf("the master with the socket doesn't answer: %v", err)
		}
		for i, p := range all {
			if won[i] && !strings.Contains(who, fmt.Sprintf("pid %d", labsOf(p, 1)[0].pid)) {
				t.Errorf("%s answers, and is not a worker of the master that has the socket", who)
			}
			_ = p.Cmd.Process.Signal(syscall.SIGTERM) // an error if the master has ended
			p.Wait()
		}
	}
}

// stale leaves the file of a closed socket.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

// A relative path is relative to the working directory of the worker, also if that of the
// master is another.
func TestUnixRelativePath(t *testing.T) {
	dir, other := e2etest.ShortDir(t), e2etest.ShortDir(t)
	p := e2etest.Start(t, "lab", master.Config{Workers: 2, MinUptime: -1, Dir: dir})
	labs := labsOf(p, 2)
	for _, network := range unixNetworks {
		name := network + ".sock"
		for _, lab := range labs {
			lab.listen(network, network, name)
		}
		wantBoth(t, network, dir+"/"+name)
		_, err := labs[0].try("listen", "name", "again", "network", network, "address", dir+"/"+name)
		if err == nil {
			t.Errorf("%s: the same file by another name gives no error", network)
		}
		labs[0].must("chdir", "dir", other)
		labs[0].listen(network+"2", network, name)
		if _, err := os.Stat(other + "/" + name); err != nil {
			t.Error(err)
		}
		labs[0].must("chdir", "dir", dir)
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// If master and worker have the same working directory, Addr is what net.Listen would
// return.
func TestUnixRelativeName(t *testing.T) {
	dir := e2etest.ShortDir(t)
	t.Chdir(dir)
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	if addr := lab.listen("a", "unix", "here"); addr != "here" {
		t.Errorf("Addr is %s, want here as from package net", addr)
	}
	if _, err := askOnce("unix", dir+"/here"); err != nil {
		t.Error(err)
	}
}

// While another process has a lock on the folder the master replaces no file, and binds new
// ones.
func TestLockedFolderIsNotChanged(t *testing.T) {
	t.Parallel()
	dir := e2etest.ShortDir(t)
	stale(t, dir+"/stale")
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	if _, err := lab.try("listen", "name", "a", "network", "unix", "address", dir+"/stale"); err == nil {
		t.Error("the master replaced a file without the lock")
	}
	lab.listen("b", "unix", dir+"/new") // nothing to replace
	d.Close()
	lab.listen("a", "unix", dir+"/stale")
}
