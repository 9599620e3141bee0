//go:build linux

package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// waits reports whether the program of pid, or one that it has
// started, waits for connections on each of the sockets. /proc says so:
//
//   - an epoll instance that has the socket (fdinfo), as of Node, Go, nginx, asyncio, libuv
//   - a thread in accept(2) on it, or in poll(2) or select(2) in a process that has it
//
// A program that waits by io_uring isn't seen.
func waits(pid int, sockets []socket) bool {
	want := map[uint64]bool{}
	for _, s := range sockets {
		want[inodeOf(s.fd)] = true
	}
	for _, p := range tree(pid) {
		for _, inode := range process(p).waitsOn(want) {
			delete(want, inode)
		}
	}
	return len(want) == 0
}

func inodeOf(fd int) uint64 {
	var st unix.Stat_t
	_ = unix.Fstat(fd, &st) // it is open
	return st.Ino
}

// tree returns pid and all that it and its children have started.
func tree(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, path := range lists {
			b, _ := os.ReadFile(path) // the thread has ended: no children
			for _, field := range strings.Fields(string(b)) {
				if child, err := strconv.Atoi(field); err == nil {
					all = append(all, child)
				}
			}
		}
	}
	return all
}

// process is a pid, of which /proc tells.
type process int

func (p process) path(rest string) string { return fmt.Sprintf("/proc/%d/%s", int(p), rest) }

// waitsOn returns the inodes of those sockets that the process waits on.
func (p process) waitsOn(want map[uint64]bool) (found []uint64) {
	has := map[int]uint64{} // inodes by descriptor
	var polls []int
	dir, _ := os.ReadDir(p.path("fd")) // ended, or another user's: nothing
	for _, e := range dir {
		link, _ := os.Readlink(p.path("fd/" + e.Name()))
		fd, _ := strconv.Atoi(e.Name())
		var inode uint64
		if n, _ := fmt.Sscanf(link, "socket:[%d]", &inode); n == 1 && want[inode] {
			has[fd] = inode
		}
		if link == "anon_inode:[eventpoll]" {
			polls = append(polls, fd)
		}
	}
	if len(has) == 0 {
		return nil
	}
	for _, fd := range append(p.polled(polls), p.blocked(has)...) {
		if inode, ok := has[fd]; ok {
			found = append(found, inode)
		}
	}
	return found
}

// polled returns the descriptors that are in the epoll instances.
func (p process) polled(polls []int) (fds []int) {
	for _, poll := range polls {
		b, _ := os.ReadFile(p.path("fdinfo/" + strconv.Itoa(poll)))
		for line := range strings.Lines(string(b)) {
			var fd int
			if n, _ := fmt.Sscanf(line, "tfd: %d", &fd); n == 1 {
				fds = append(fds, fd)
			}
		}
	}
	return fds
}

// calls are the numbers of system calls that wait: accept, accept4; and poll, select, ppoll,
// pselect6.
var calls = map[string]struct{ accept, poll []int }{
	"amd64": {[]int{43, 288}, []int{7, 23, 271, 270}},
	"arm64": {[]int{202, 242}, []int{73, 72}},
}

// blocked returns the descriptors that a thread waits for in accept. A thread in poll or select
// waits for all that has.
func (p process) blocked(has map[int]uint64) (fds []int) {
	threads, _ := filepath.Glob(p.path("task/*/syscall"))
	numbers := calls[runtime.GOARCH]
	for _, path := range threads {
		b, _ := os.ReadFile(path) // "running", or number, arguments, and pointers
		var number, first int
		if n, _ := fmt.Sscanf(string(b), "%d 0x%x", &number, &first); n != 2 {
			continue
		}
		for _, accept := range numbers.accept {
			if number == accept {
				fds = append(fds, first)
			}
		}
		for _, poll := range numbers.poll {
			if number == poll {
				for fd := range has {
					fds = append(fds, fd)
				}
			}
		}
	}
	return fds
}
