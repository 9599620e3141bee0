//go:build linux

package socket

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"golang.org/x/sys/unix"
)

// give starts a lab whose master inherits files as descriptors 3, 4, …. If names isn't
// empty it is LISTEN_FDNAMES.
func give(t *testing.T, workers int, names string, files ...*os.File) *e2etest.Process {
	t.Helper()
	cmd := e2etest.Command(t, "lab", server.Quick(workers))
	announce(cmd, names, files...)
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, workers)
	return p
}

// announce passes files to a command as a supervisor does.
func announce(cmd *exec.Cmd, names string, files ...*os.File) {
	cmd.ExtraFiles = files
	if names == "" {
		return
	}
	cmd.Env = append(cmd.Env, "LISTEN_FDNAMES="+names, fmt.Sprintf("LISTEN_FDS=%d", len(files)))
	cmd.Args = []string{"sh", "-c", `export LISTEN_PID=$$; exec "$0"`, cmd.Path}
	cmd.Path = "/bin/sh"
}

// socketFile opens a socket in the test's own process and returns it as a file.
func socketFile(t *testing.T, network, address string) (*os.File, string) {
	t.Helper()
	var s interface{ Close() error }
	var addr net.Addr
	if isPacket(network) {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		s, addr = c, c.LocalAddr()
	} else {
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		s, addr = ln, ln.Addr()
	}
	defer s.Close()
	raw, err := s.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	if err := raw.Control(func(d uintptr) { fd, _ = unix.FcntlInt(d, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), network)
	t.Cleanup(func() { f.Close() })
	return f, addr.String()
}

// A worker can listen on the descriptors that the master was started with. rota never closes
// them, and never removes their files.
func TestInheritedDescriptors(t *testing.T) {
	t.Parallel()
	dir := e2etest.ShortDir(t)
	stream, addr := socketFile(t, "tcp", "127.0.0.1:0")
	datagram, paddr := socketFile(t, "udp", "127.0.0.1:0")
	local, path := socketFile(t, "unix", dir+"/s")
	plain, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[1])
	connected := os.NewFile(uintptr(pair[0]), "pair")
	defer connected.Close()
	p := give(t, 2, "", stream, datagram, local, plain, connected)
	labs := labsOf(p, 2)
	for _, row := range []struct{ network, number, addr string }{{"fd", "3", addr}, {"fdgram", "4", paddr}, {"fd", "5", path}} {
		for _, lab := range labs {
			if got := lab.listen(row.number, row.network, row.number); got != row.addr {
				t.Errorf("%s %s: Addr is %s, want %s", row.network, row.number, got, row.addr)
			}
		}
	}
	wantBoth(t, "tcp", addr)
	wantBoth(t, "udp", paddr)
	wantBoth(t, "unix", path)
	for _, row := range []struct{ network, number, want string }{
		{"fd", "6", "socket operation on non-socket"}, {"fd", "99", "bad file descriptor"},
		{"fd", "7", "it is connected, or can't listen: invalid argument"},
		{"fd", "4", "it is a datagram socket: invalid argument"}, {"fdgram", "3", "it is no datagram socket: invalid argument"},
		{"fd", "nosuch", "invalid argument"}, {"fd", "-1", "invalid argument"}, {"fd", "", "invalid argument"},
		{"fd", "99999999999999", "invalid argument"}, {"fd", "3", "address already in use"},
	} {
		_, err := labs[0].try("listen", "name", "x", "network", row.network, "address", row.number)
		want := "listen " + row.network + " " + row.number + ": "
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), row.want) {
			t.Errorf("%s %s: %v, want %s… %s", row.network, row.number, err, want, row.want)
		}
	}
	// The sockets stay open, and their files stay.
	for _, lab := range labs {
		lab.must("close", "name", "3")
	}
	p.Reload()
	for _, lab := range labsOf(p, 2) {
		lab.listen("3", "fd", "3")
		lab.listen("5", "fd", "5")
	}
	wantBoth(t, "tcp", addr)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of an inherited socket: %v", err)
	}
}

// The errors of bad descriptors are those of the kernel.
func TestDescriptorErrors(t *testing.T) {
	plain, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	lab := labsOf(give(t, 1, "", plain), 1)[0]
	for number, is := range map[string]string{"3": "ENOTSOCK", "77": "EBADF", "x": "EINVAL"} {
		var both [2]said
		lab.into(&both, "compare", "network", "fd", "address", number)
		if fmt.Sprint(both[1].Is) != "["+is+"]" || !strings.HasPrefix(both[1].Type, "*net.OpError") {
			t.Errorf("fd %s: %+v, want %s", number, both[1], is)
		}
	}
}

// A worker that listens on an address or name that the supervisor has bound gets the
// inherited socket.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	dir := e2etest.ShortDir(t)
	web, addr := socketFile(t, "tcp", "127.0.0.1:0")
	wild, waddr := socketFile(t, "tcp", ":0")
	dns, uaddr := socketFile(t, "udp", "127.0.0.1:0")
	local, path := socketFile(t, "unix", dir+"/s")
	abstract, aname := socketFile(t, "unixpacket", "@rota-given-"+dir)
	_, port, _ := net.SplitHostPort(addr)
	_, wport, _ := net.SplitHostPort(waddr)
	_, uport, _ := net.SplitHostPort(uaddr)
	p := give(t, 2, "web:all:web::web", web, wild, dns, local, abstract)
	t.Run("by address", func(t *testing.T) {
		for _, row := range [][3]string{
			{"tcp", "localhost:" + port, addr}, {"tcp4", "127.0.0.1:" + port, addr}, {"tcp", ":" + wport, waddr},
			{"udp", "127.0.0.1:" + uport, uaddr}, {"unix", path, path}, {"unixpacket", aname, aname},
		} {
			for _, lab := range labsOf(p, 2) {
				lab.t = t
				if got := lab.listen(row[0]+row[1], row[0], row[1]); got != row[2] {
					t.Errorf("%v: Addr is %s", row, got)
				}
			}
			wantBoth(t, row[0], reachable(row[2]))
		}
	})
	t.Run("what was not given", func(t *testing.T) {
		lab := labsOf(p, 2)[0]
		for _, row := range [][2]string{{"tcp", ":" + port}, {"tcp", "127.0.0.2:" + port}, {"unix", path + "2"}, {"tcp", "127.0.0.1:" + e2etest.FreePort(t)}} {
			if got, err := lab.try("listen", "name", "n", "network", row[0], "address", row[1]); err == nil && (got == addr || got == path) {
				t.Errorf("%v got an inherited socket: %s", row, got)
			}
		}
	})
	t.Run("by name", func(t *testing.T) {
		lab := labsOf(p, 2)[1]
		lab.t = t
		for i, want := range []string{addr, aname} {
			if got := lab.must("listen", "name", fmt.Sprint("web", i), "network", "fd", "address", "web"); got != want {
				t.Errorf("the socket %d named web: %s, want %s", i, got, want)
			}
		}
		if _, err := lab.try("listen", "name", "web2", "network", "fd", "address", "web"); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("the third: %v", err)
		}
		if got := lab.must("listen", "name", "webgram", "network", "fdgram", "address", "web"); got != uaddr {
			t.Errorf("fdgram web: %s, want %s", got, uaddr)
		}
		if _, err := lab.try("listen", "name", "x", "network", "fdgram", "address", "all"); err == nil {
			t.Error("fdgram succeeds for a name that has only a stream socket")
		}
	})
	t.Run("workers see nothing", func(t *testing.T) {
		for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
			if v := labsOf(p, 2)[0].must("env", "name", name); v != "" {
				t.Errorf("%s=%s in a worker", name, v)
			}
		}
	})
	p.Reload() // no worker listens on the sockets any more; they stay open
	for _, lab := range labsOf(p, 2) {
		lab.listen("again", "tcp", addr)
	}
	wantBoth(t, "tcp", addr)
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of an inherited socket: %v", err)
	}
}

// A worker has none of the sockets that a supervisor passed to the master until it asks
// for one.
func TestInheritedSocketStaysInTheMaster(t *testing.T) {
	file, _ := socketFile(t, "tcp", "127.0.0.1:0")
	p := give(t, 1, "", file, file) // a worker's descriptor 3 is its link
	socket, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/4", p.PID()))
	if err != nil || !strings.HasPrefix(socket, "socket:") {
		t.Fatalf("the master's descriptor 4 is %q, %v", socket, err)
	}
	for _, pid := range p.Children() {
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		for _, e := range entries {
			if target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name())); target == socket {
				t.Errorf("worker %d has the socket as descriptor %s", pid, e.Name())
			}
		}
	}
}
