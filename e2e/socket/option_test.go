//go:build linux

package socket

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"golang.org/x/sys/unix"
)

// labOption reads a socket option.
func labOption(v url.Values) (string, error) {
	var level, name int
	fmt.Sscan(v.Get("level"), &level)
	fmt.Sscan(v.Get("option"), &name)
	var n int
	raw, err := opened(v).(syscall.Conn).SyscallConn()
	if err == nil {
		if cerr := raw.Control(func(fd uintptr) { n, err = unix.GetsockoptInt(int(fd), level, name) }); cerr != nil {
			err = cerr
		}
	}
	return fmt.Sprint(n), err
}

// labKeepAlive accepts a connection and answers with its TCP_KEEPIDLE.
func labKeepAlive(v url.Values) (string, error) {
	c, err := opened(v).(net.Listener).Accept()
	if err != nil {
		return "", err
	}
	defer c.Close()
	var idle, on int
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			idle, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			on, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		})
	}
	return fmt.Sprint(on, " ", idle), err
}

// systemKeepAlive returns the TCP_KEEPIDLE of the system.
func systemKeepAlive(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_keepalive_time")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestKeepAlive(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"default", nil, "1 15"},
		{"configured", []string{"idle", "77s"}, "1 77"},
		{"exclusive", []string{"idle", "78s", "exclusive", "yes"}, "1 78"},
		{"the system's", []string{"idle", "-1s"}, "1 " + systemKeepAlive(t)},
	} {
		addr := lab.must("listen", append([]string{"name", tc.name, "network", "tcp", "address", "127.0.0.1:0"}, tc.args...)...)
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := lab.must("keepalive", "name", tc.name); got != tc.want {
			t.Errorf("%s: SO_KEEPALIVE and TCP_KEEPIDLE are %s, want %s", tc.name, got, tc.want)
		}
		c.Close()
	}
}

// On Linux a backlog of n takes n+1 connections. The next one that doesn't block fails.
func TestBacklog(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for _, tc := range []struct {
		network string
		more    []string
	}{{"unix", nil}, {"unixpacket", nil}, {"unix", []string{"exclusive", "yes"}}} {
		path := e2etest.ShortDir(t) + "/s"
		lab.must("listen", append([]string{"name", path, "network", tc.network, "address", path, "backlog", "3"}, tc.more...)...)
		if n := fill(t, tc.network, path); n != 4 {
			t.Errorf("%s %v: the queue takes %d connections, want 4", tc.network, tc.more, n)
		}
	}
	addr := lab.must("listen", "name", "tcp", "network", "tcp", "address", "127.0.0.1:0", "backlog", "3")
	_, port, _ := net.SplitHostPort(addr)
	if got := backlogOf(t, port); got != "3" {
		t.Errorf("tcp: the kernel says %s, want 3", got)
	}
}

// fill connects until the queue is full.
func fill(t *testing.T, network, path string) (n int) {
	t.Helper()
	kind := unix.SOCK_STREAM
	if network == "unixpacket" {
		kind = unix.SOCK_SEQPACKET
	}
	for ; n < 100; n++ {
		fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			if err != unix.EAGAIN {
				t.Fatal(err)
			}
			return n
		}
	}
	return n
}

// Mode is the mode of the file, whatever the umask of the master. Without Mode the umask
// applies.
func TestMode(t *testing.T) {
	old := syscall.Umask(0o077)
	p := e2etest.Start(t, "lab", server.Quick(1))
	syscall.Umask(old)
	lab := labsOf(p, 1)[0]
	for _, network := range []string{"unix", "unixpacket", "unixgram"} {
		for _, more := range [][]string{nil, {"exclusive", "yes"}} {
			for mode, want := range map[string]os.FileMode{"": 0o700, "600": 0o600, "660": 0o660, "666": 0o666, "777": 0o777} {
				path := e2etest.ShortDir(t) + "/s"
				lab.must("listen", append([]string{"name", path, "network", network, "address", path, "mode", mode}, more...)...)
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode(); got != want|os.ModeSocket {
					t.Errorf("%s %v mode %s: the file has %v, want %v", network, more, mode, got, want|os.ModeSocket)
				}
			}
		}
	}
}

// The file never has a wider mode than it has at the end.
func TestModeIsNeverWider(t *testing.T) {
	old := syscall.Umask(0)
	p := e2etest.Start(t, "lab", server.Quick(1))
	syscall.Umask(old)
	lab, dir := labsOf(p, 1)[0], e2etest.ShortDir(t)
	stop, seen := make(chan struct{}), make(chan [2]int, 1)
	go func() { seen <- watchModes(dir, stop) }()
	for i := range 300 {
		name := fmt.Sprint(i)
		lab.must("listen", "name", name, "network", "unix", "address", dir+"/"+name, "mode", "600")
	}
	close(stop)
	if all := <-seen; all[0] != 0o600 || all[1] == 0 {
		t.Errorf("modes that were seen: %o (%d times), want 600", all[0], all[1])
	}
}

// watchModes reads the mode of the newest file of a folder until stop is closed. It returns
// all bits that were set, and how often there was a file.
func watchModes(dir string, stop <-chan struct{}) (seen [2]int) {
	for i := 0; ; {
		select {
		case <-stop:
			return seen
		default:
			info, err := os.Lstat(fmt.Sprint(dir, "/", i))
			if err == nil {
				seen[0] |= int(info.Mode().Perm())
				seen[1]++
				i++
			}
		}
	}
}

// labMany opens n sockets at once, and answers with how many different ones it has.
func labMany(v url.Values) (string, error) {
	var n int
	fmt.Sscan(v.Get("n"), &n)
	var group sync.WaitGroup
	addrs, errs := make([]string, n), make([]error, n)
	for i := range n {
		group.Add(1)
		go func() {
			defer group.Done()
			c, addr, err := labOpen(labConfig(v), v.Get("network"), v.Get("address"))
			if errs[i] = err; err == nil {
				addrs[i] = addr.String()
				time.AfterFunc(time.Minute, func() { c.Close() })
			}
		}()
	}
	group.Wait()
	different := map[string]bool{}
	for i, err := range errs {
		if err != nil {
			return "", err
		}
		different[addrs[i]] = true
	}
	return fmt.Sprint(len(different)), nil
}

// Two workers can open 300 sockets each at the same time.
func TestManySockets(t *testing.T) {
	p := e2etest.Start(t, "lab", server.Quick(2))
	for _, network := range []string{"tcp", "udp"} {
		var group sync.WaitGroup
		for _, lab := range labsOf(p, 2) {
			group.Add(1)
			go func() {
				defer group.Done()
				got, err := lab.try("many", "n", "300", "network", network, "address", "127.0.0.1:0")
				if err != nil || got != "300" {
					t.Errorf("%s: %s sockets, %v", network, got, err)
				}
			}()
		}
		group.Wait()
	}
	if _, err := labsOf(p, 2)[0].try("whoami"); err != nil {
		t.Errorf("the worker is gone: %v", err)
	}
}

// backlogOf returns the backlog of a listening TCP socket, as ss(8) prints it.
func backlogOf(t *testing.T, port string) string {
	t.Helper()
	out, err := exec.Command("ss", "-Hltn", "sport = :"+port).Output()
	if err != nil {
		t.Skip("no ss here: ", err)
	}
	f := strings.Fields(string(out))
	if len(f) < 3 {
		t.Fatalf("ss: %q", out)
	}
	return f[2]
}
