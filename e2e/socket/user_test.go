//go:build linux

package socket

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// elsewhere copies the test binary to a folder that every user may read.
func elsewhere(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(e2etest.ShortDir(t), "e2e.test")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	return exe
}

// privileged returns a free port that only root may bind.
func privileged(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		t.Fatal(err)
	}
	if start, _ := strconv.Atoi(strings.TrimSpace(string(b))); start < 1024 {
		t.Skipf("every user may bind ports from %d on", start)
	}
	for range 1000 {
		port := 513 + rand.IntN(511)
		ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			ln.Close()
			return port
		}
	}
	t.Skip("no privileged port is free")
	return 0
}

// With Config.User a master that is root binds privileged ports for workers of another user.
func TestUser(t *testing.T) {
	t.Parallel()
	e2etest.SkipShort(t)
	e2etest.NeedRoot(t, "it starts processes of another user")
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	groups, err := nobody.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	exe, dir := elsewhere(t), e2etest.ShortDir(t)
	for _, tc := range []struct{ user, want string }{
		{"nobody", fmt.Sprintf("%s %s %v", nobody.Uid, nobody.Gid, groups)},
		{nobody.Uid, fmt.Sprintf("%s %s %v", nobody.Uid, nobody.Gid, groups)},
		{"nobody:daemon", nobody.Uid + " 1 []"}, {"12345:23456", "12345 23456 []"}, {"root", "0 0 "},
	} {
		t.Run(tc.user, func(t *testing.T) {
			t.Parallel()
			addr, path := fmt.Sprint("127.0.0.1:", privileged(t)), dir+"/"+strings.ReplaceAll(tc.user, ":", "-")
			given, gaddr := socketFile(t, "tcp", "127.0.0.1:0")
			cmd := e2etest.Command(t, "lab", master.Config{Workers: 2, MinUptime: -1, User: tc.user, Exec: exe, Sockets: []string{"fd 3", "unix " + path}}, e2etest.FlagsEnv+"=a tcp "+addr)
			announce(cmd, "given", given)
			p := e2etest.Run(t, cmd)
			p.WaitLog(e2etest.WorkerReady, 2)
			if who := labsOf(p, 2)[0].must("whoami"); !strings.HasPrefix(who, tc.want) {
				t.Errorf("the worker is %s, want %s", who, tc.want)
			}
			wantBoth(t, "tcp", addr)
			for _, lab := range labsOf(p, 2) {
				lab.listen("fd", "fd", "3")
				lab.listen("u", "unix", path)
			}
			wantBoth(t, "tcp", gaddr)
			p.Reload()
			wantBoth(t, "tcp", addr)
			e2etest.Kill(t, labsOf(p, 2)[0].pid)
			p.WaitLog(e2etest.WorkerReady, 5)
			wantBoth(t, "tcp", addr)
		})
	}
}

// A crashed worker of another user is started from the executable that the master has kept
// open.
func TestKeptExecutableOfAnotherUser(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it starts processes of another user")
	exe := elsewhere(t)
	p := e2etest.Start(t, "lab", master.Config{Workers: 1, MinUptime: -1, User: "nobody", Exec: exe})
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	e2etest.Kill(t, labsOf(p, 1)[0].pid)
	p.WaitLog(e2etest.WorkerReady, 2)
}

func TestUnknownUser(t *testing.T) {
	for _, tc := range []string{"nosuchuser", "nobody:nosuchgroup", ":", "4294967296"} {
		p := e2etest.Launch(t, "lab", master.Config{Workers: 1, User: tc})
		if status := p.Wait(); status != 1 {
			t.Errorf("%s: exit status %d, want 1", tc, status)
		}
		if p.Log.Count(fmt.Sprintf("user %q", tc)) == 0 && p.Log.Count(fmt.Sprintf(`user \"%s\"`, tc)) == 0 {
			t.Errorf("%s: the log doesn't name it:\n%s", tc, p.Log)
		}
	}
}

// Without root, Config.User may only be the user that the master has already.
func TestUserWithoutRoot(t *testing.T) {
	as := func(t *testing.T, who string) *e2etest.Process {
		cfg := master.Config{Workers: 1, MinUptime: -1, User: who}
		if os.Geteuid() != 0 {
			return e2etest.Launch(t, "lab", cfg)
		}
		cmd := e2etest.Command(t, "lab", cfg)
		cmd.Path = elsewhere(t)
		cmd.Args, cmd.Dir = []string{cmd.Path}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return e2etest.Run(t, cmd)
	}
	me := fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid())
	if os.Geteuid() == 0 {
		me = "65534:65534"
	}
	as(t, me).WaitLog(e2etest.WorkerReady, 1)
	p := as(t, "0:0")
	if status := p.Wait(); status != 1 || p.Logged(e2etest.NotPermitted) == 0 {
		t.Errorf("exit status %d, want 1 and the reason:\n%s", status, p.Log)
	}
}

// A privileged port without the right to bind it is EACCES, as with package net.
func TestPrivilegedPort(t *testing.T) {
	port := privilegedOrSkip(t)
	cmd := e2etest.Command(t, "lab", server.Quick(1))
	if os.Geteuid() == 0 {
		cmd.Path = elsewhere(t)
		cmd.Args, cmd.Dir = []string{cmd.Path}, "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 1)
	dir := e2etest.ShortDir(t)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	lab := labsOf(p, 1)[0]
	wantSame(t, lab, "EACCES", "network", "tcp", "address", fmt.Sprint("127.0.0.1:", port))
	wantSame(t, lab, "EACCES", "network", "udp", "address", fmt.Sprint("127.0.0.1:", port), "packet", "yes")
	wantSame(t, lab, "EACCES", "network", "unix", "address", dir+"/s")
}

func privilegedOrSkip(t *testing.T) int {
	if os.Geteuid() == 0 {
		return privileged(t)
	}
	b, _ := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if start, _ := strconv.Atoi(strings.TrimSpace(string(b))); start < 1024 {
		t.Skipf("every user may bind ports from %d on", start)
	}
	return 1023
}

// allow is a lab whose master refuses some addresses.
func allow() {
	var cfg master.Config
	cfg.Workers, cfg.MinUptime = 1, -1
	cfg.Allow = func(w *master.Worker, r master.SocketRequest) error {
		fmt.Fprintf(os.Stderr, "allow? worker %d %s %s\n", w.ID(), r.Network, r.Address)
		switch {
		case strings.Contains(r.Address, "forbidden"):
			return os.ErrPermission
		case strings.Contains(r.Address, "inuse"):
			return syscall.EADDRINUSE
		case strings.Contains(r.Address, "words"):
			return io.ErrNoProgress
		}
		return nil
	}
	if err := rota.Setup(cfg); err != nil {
		panic(err)
	}
	lab()
}

// Config.Allow decides what a worker may listen on, and its error is the worker's.
func TestAllow(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "allow", server.Quick(1)), 1)[0]
	dir := e2etest.ShortDir(t)
	for name, want := range map[string]string{
		"forbidden": "listen unix " + dir + "/forbidden: permission denied [EACCES ErrPermission]",
		"inuse":     "listen unix " + dir + "/inuse: address already in use [EADDRINUSE]",
		"words":     "listen unix " + dir + "/words: multiple Read calls return no data or error []",
	} {
		var both [2]said
		lab.into(&both, "compare", "network", "unix", "address", dir+"/"+name)
		if got := fmt.Sprint(both[1].Text, " ", both[1].Is); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	lab.listen("a", "unix", dir+"/fine")
	if _, err := askOnce("unix", dir+"/fine"); err != nil {
		t.Error(err)
	}
	// Of two calls at the same time, while Allow runs, one gets the socket.
	addr := e2etest.FreeAddress(t)
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := lab.try("listen", "name", "two", "network", "tcp", "address", addr)
			results <- err
		}()
	}
	one, two := <-results, <-results
	if (one == nil) == (two == nil) {
		t.Errorf("of two at once: %v and %v, want one error", one, two)
	}
}
