//go:build linux

package socket

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// On every network an address is one socket in all workers, and it is the one that
// net.Listen would open.

func TestNetworks(t *testing.T) {
	dir := e2etest.ShortDir(t)
	rows := []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"tcp", "localhost:0"}, {"tcp", ":0"}, {"tcp", "[::]:0"}, {"tcp", "0.0.0.0:0"}, {"tcp", ""},
		{"tcp4", ":0"}, {"tcp4", "localhost:0"}, {"tcp6", "[::1]:0"}, {"tcp6", ":0"},
		{"unix", dir + "/stream"}, {"unix", "@rota-e2e-stream-" + filepath.Base(dir)},
		{"unixpacket", dir + "/packets"}, {"unixpacket", "@rota-e2e-packets-" + filepath.Base(dir)},
		{"udp", "127.0.0.1:0"}, {"udp", "localhost:0"}, {"udp", ":0"}, {"udp4", ":0"}, {"udp6", "[::1]:0"},
		{"unixgram", dir + "/datagrams"}, {"unixgram", "@rota-e2e-datagrams-" + filepath.Base(dir)},
	}
	p := e2etest.Start(t, "lab", server.Quick(2))
	labs := labsOf(p, 2)
	for i, row := range rows {
		t.Run(row.network+" "+strings.ReplaceAll(row.address, dir, "dir"), func(t *testing.T) {
			if err := plainly(row.network, row.address); err != nil {
				t.Skip(err)
			}
			name := fmt.Sprint(i)
			one := labs[0].listen(name, row.network, row.address)
			two := labs[1].listen(name, row.network, row.address)
			if one != two {
				t.Fatalf("the workers have different sockets: %s and %s", one, two)
			}
			wantBoth(t, row.network, reachable(one))
		})
	}
}

// plainly returns the error of package net, if it can't listen here.
func plainly(network, address string) error {
	if strings.HasPrefix(address, "/") {
		return nil // it would leave a file
	}
	if isPacket(network) {
		c, err := net.ListenPacket(network, address)
		if err == nil {
			c.Close()
		}
		return err
	}
	ln, err := net.Listen(network, address)
	if err == nil {
		ln.Close()
	}
	return err
}

// reachable returns the address to connect to.
func reachable(addr string) string {
	addr = strings.Replace(addr, "[::]:", "[::1]:", 1)
	return strings.Replace(addr, "0.0.0.0:", "127.0.0.1:", 1)
}

// wantBoth waits until both workers have answered.
func wantBoth(t *testing.T, network, addr string) {
	t.Helper()
	seen := map[string]bool{}
	e2etest.WaitFor(t, "both workers to answer on "+addr, func() bool {
		who, err := askOnce(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		seen[who] = true
		return len(seen) == 2
	}, func() string { return fmt.Sprint(seen) })
}

// An address without a host is one socket for IPv4 and IPv6, as with net.Listen, and with
// tcp6 for IPv6 only.
func TestFamilies(t *testing.T) {
	p := e2etest.Start(t, "lab", server.Quick(1))
	lab := labsOf(p, 1)[0]
	if err := plainly("tcp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	_, dual, _ := net.SplitHostPort(lab.listen("dual", "tcp", ":0"))
	_, six, _ := net.SplitHostPort(lab.listen("six", "tcp6", ":0"))
	for _, host := range []string{"127.0.0.1", "::1"} {
		if _, err := askOnce("tcp", net.JoinHostPort(host, dual)); err != nil {
			t.Errorf("tcp :0 on %s: %v", host, err)
		}
	}
	if _, err := askOnce("tcp", net.JoinHostPort("::1", six)); err != nil {
		t.Error(err)
	}
	if _, err := askOnce("tcp", net.JoinHostPort("127.0.0.1", six)); err == nil {
		t.Error("tcp6 answers on IPv4")
	}
}

// The n-th ":0" of a worker is the n-th port of all workers, also after a crash, a reload,
// or Close. TCP and UDP have their own.
func TestPortZero(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) {
			p := e2etest.Start(t, "lab", server.Quick(2), e2etest.FlagsEnv+"="+threePorts(network))
			want := ports(labsOf(p, 2)[0])
			if want[0] == want[1] || want[1] == want[2] {
				t.Fatalf("the same port twice: %v", want)
			}
			compare := func(when string, lab bench) {
				t.Helper()
				if got := ports(lab); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: ports %v, want %v", when, got, want)
				}
			}
			compare("the other worker", labsOf(p, 2)[1])
			first := labsOf(p, 2)[0]
			first.must("close", "name", "0")
			if got := first.must("listen", "name", "0", "network", network, "address", "127.0.0.1:0"); got != want[0] {
				t.Errorf("after Close and Listen: %s, want %s", got, want[0])
			}
			e2etest.Kill(t, first.pid)
			p.WaitLog(e2etest.WorkerReady, 3)
			compare("after a crash", benches(t, p)[2])
			p.Reload()
			compare("after a reload", labsOf(p, 2)[0])
			compare("after a reload", labsOf(p, 2)[1])
		})
	}
}

func threePorts(network string) string {
	return fmt.Sprintf("0 %[1]s 127.0.0.1:0\n1 %[1]s 127.0.0.1:0\n2 %[1]s 127.0.0.1:0\n", network)
}

func ports(b bench) (all []string) {
	b.t.Helper()
	for i := range 3 {
		all = append(all, b.must("address", "name", fmt.Sprint(i)))
	}
	return all
}

// The port is the same also if no worker has had the socket for a while and the master has
// closed it.
func TestPortZeroStaysAfterReload(t *testing.T) {
	p := e2etest.Start(t, "lab", server.Quick(1))
	lab := labsOf(p, 1)[0]
	was := lab.listen("a", "tcp", "127.0.0.1:0")
	lab.must("close", "name", "a")
	e2etest.WaitFor(t, "the socket to be closed", func() bool {
		_, err := net.Dial("tcp", was)
		return err != nil
	})
	if now := lab.listen("a", "tcp", "127.0.0.1:0"); now != was {
		t.Errorf("the address is %s, and was %s", now, was)
	}
}

// With Exclusive every worker has a port of its own, which the master doesn't know.
func TestExclusive(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		p := e2etest.Start(t, "lab", server.Quick(2))
		sockets := len(e2etest.SocketFlags(t, p.PID()))
		labs := labsOf(p, 2)
		one := labs[0].listen("x", network, "127.0.0.1:0", "exclusive", "yes")
		two := labs[1].listen("x", network, "127.0.0.1:0", "exclusive", "yes")
		if one == two {
			t.Errorf("%s: both have %s", network, one)
		}
		for i, addr := range []string{one, two} {
			if who, err := askOnce(network, addr); err != nil || !strings.Contains(who, fmt.Sprint(labs[i].pid)) {
				t.Errorf("%s %s: %q, %v, want pid %d", network, addr, who, err, labs[i].pid)
			}
		}
		if now := len(e2etest.SocketFlags(t, p.PID())); now != sockets {
			t.Errorf("the master has %d sockets, had %d", now, sockets)
		}
	}
}

// A socket that no worker uses any more is closed when a reload is done, and not before. A
// worker can open it again.
func TestUnusedSocketIsClosedAfterReload(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "lab", server.Quick(2))
	old := e2etest.FreeAddress(t)
	labsOf(p, 2)[0].listen("a", "tcp", old)
	e2etest.Kill(t, labsOf(p, 2)[0].pid)
	p.WaitLog(e2etest.WorkerReady, 3)
	c, err := net.Dial("tcp", old) // a crash closes no socket
	if err != nil {
		t.Fatalf("after the crash of its only worker: %v", err)
	}
	c.Close()
	p.Reload()
	e2etest.WaitFor(t, old+" to be free", func() bool {
		ln, err := net.Listen("tcp", old)
		if err == nil {
			ln.Close()
		}
		return err == nil
	})
	labsOf(p, 2)[0].listen("a", "tcp", old)
	if _, err := askOnce("tcp", old); err != nil {
		t.Errorf("after another Listen: %v", err)
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if ln, err := net.Listen("tcp", old); err != nil {
		t.Errorf("after the master's end: %v", err)
	} else {
		ln.Close()
	}
}
