//go:build linux

package e2e

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Descriptors: nothing leaks in the master or in a worker, the shared socket stays
// non-blocking, and a worker's child gets none of it and is no worker.

func TestNoDescriptorLeaks(t *testing.T) {
	p := start(t, "serve", quick(2))
	p.reload() // the first one opens what stays open
	master, workers := math.MaxInt, math.MaxInt
	for range 5 { // the least: one may be about to be closed
		p.reload()
		p.settled(2)
		master, workers = min(master, descriptors(p.pid())), min(workers, p.workerDescriptors())
	}
	for range 50 {
		p.reload()
	}
	p.settled(2)
	waitFor(t, fmt.Sprintf("%d descriptors in the master and %d in the workers, as before", master, workers),
		func() bool { return descriptors(p.pid()) <= master && p.workerDescriptors() <= workers },
		func() string { return fmt.Sprint("they have ", descriptors(p.pid()), " ", p.workerDescriptors()) })
}

// settled waits until only n workers live.
func (p *process) settled(n int) {
	p.t.Helper()
	waitFor(p.t, fmt.Sprintf("%d workers", n), func() bool { return len(p.living()) == n })
}

func (p *process) workerDescriptors() (n int) {
	for _, pid := range p.living() {
		n += descriptors(pid)
	}
	return n
}

// fdinfo returns the flags of every socket of a process that listens, in octal.
func socketFlags(t *testing.T, pid int) []int64 {
	t.Helper()
	flags := flagsOf(pid)
	if flags == nil {
		t.Fatalf("process %d has no socket", pid)
	}
	return flags
}

// flagsOf is socketFlags of a process that may end meanwhile.
func flagsOf(pid int) (flags []int64) {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if !strings.HasPrefix(target, "socket:") {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, e.Name()))
		if err != nil {
			continue // closed in this moment
		}
		_, rest, _ := strings.Cut(string(info), "flags:")
		line, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.ParseInt(strings.TrimSpace(line), 8, 64)
		if err != nil {
			continue // closed meanwhile
		}
		flags = append(flags, n)
	}
	return flags
}

const (
	nonblock = 0o4000
	cloexec  = 0o2000000
)

func TestSocketsStayNonblockingAndCloseOnExec(t *testing.T) {
	p := start(t, "serve", quick(2))
	p.reload()
	p.settled(2) // one that is about to end has no sockets any more
	for _, pid := range append(p.living(), p.pid()) {
		flags := socketFlags(t, pid)
		if len(flags) < 2 { // the link, and the listening socket
			t.Errorf("process %d has %d sockets", pid, len(flags))
		}
		for _, f := range flags {
			if f&nonblock == 0 || f&cloexec == 0 {
				t.Errorf("process %d has a socket with flags %o: want O_NONBLOCK and O_CLOEXEC", pid, f)
			}
		}
	}
}

// A socket that the master was started with is no worker's until it asks for it.
func TestGivenListenerStaysTheMasters(t *testing.T) {
	given, _ := socketFile(t, "tcp", "127.0.0.1:0")
	p := give(t, 1, "", given, given) // a worker's own 3 is its link
	socket, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/4", p.pid()))
	if err != nil || !strings.HasPrefix(socket, "socket:") {
		t.Fatalf("the master's descriptor 4 is %q, %v", socket, err)
	}
	for _, pid := range p.living() {
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		for _, e := range entries {
			if has, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name())); has == socket {
				t.Errorf("worker %d has it as descriptor %s", pid, e.Name())
			}
		}
	}
}

func TestWorkersChildGetsNothing(t *testing.T) {
	p := start(t, "serve", quick(1))
	open, err := request("tcp", p.addr(), "/?spawn="+"ls+-l+/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(open, "socket:") {
		t.Errorf("a child of a worker has a socket of it:\n%s", open)
	}
	env, err := request("tcp", p.addr(), "/?spawn=env")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(env, "ROTA_WORKER=") {
		t.Errorf("a child of a worker would be a worker:\n%s", env)
	}
}
