//go:build linux

package process

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// reap is Reap. A dead orphan looks like a dead child that the program has started and
// will wait for. But since Go 1.23 an *os.Process that can still be waited for has a
// pidfd open from the fork on, so a child without one is an orphan. If none of the
// workers has a pidfd, this kernel or Go doesn't use them.
func reap(workers map[int]bool) (reaped []int) {
	dead := zombies() // before pidfds: the pidfd of a child that is waited for is closed
	if len(dead) == 0 {
		return nil
	}
	held := pidfds()
	if !overlap(held, workers) {
		return nil
	}
	for _, pid := range dead {
		if workers[pid] || held[pid] {
			continue
		}
		var info unix.Siginfo
		if unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG, nil) == nil {
			reaped = append(reaped, pid)
		}
	}
	return reaped
}

func overlap(a, b map[int]bool) bool {
	for pid := range a {
		if b[pid] {
			return true
		}
	}
	return false
}

// zombies returns the pids of dead children that were not waited for.
func zombies() (pids []int) {
	for _, pid := range children() {
		if s, ok := readStat(pid); ok && s.state == 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids
}

// pidfds returns the pids of the processes that this one has a pidfd of.
func pidfds() map[int]bool {
	pids := map[int]bool{}
	infos, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, path := range infos {
		if pid, ok := pidOf(path); ok {
			pids[pid] = true
		}
	}
	return pids
}

// pidOf returns the pid in a file of /proc/self/fdinfo. Only a pidfd has one.
func pidOf(fdinfo string) (pid int, ok bool) {
	b, err := os.ReadFile(fdinfo)
	if err != nil {
		return 0, false
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if n, found := strings.CutPrefix(s.Text(), "Pid:"); found {
			pid, err := strconv.Atoi(strings.TrimSpace(n))
			return pid, err == nil
		}
	}
	return 0, false
}

func children() (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if s, ok := readStat(pid); ok && s.parent == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stat is what /proc/pid/stat says about a process.
type stat struct {
	state  byte // 'Z' for a zombie
	parent int
}

func readStat(pid int) (s stat, ok bool) { return readStatOf(fmt.Sprintf("/proc/%d/stat", pid)) }

func readStatOf(path string) (s stat, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return s, false
	}
	i := bytes.LastIndexByte(b, ')') // the name in front of it may contain anything
	if i < 0 {
		return s, false
	}
	_, err = fmt.Sscanf(string(b[i+1:]), " %c %d", &s.state, &s.parent)
	return s, err == nil
}

// awaitExit waits in the runtime's poller until a child of this process has ended, which the
// caller alone waits for. The caller then waits for it without blocking: a wait that blocks
// has a thread to itself, and where a process may not have more threads, the runtime ends it.
// If the system has no pidfds, or a filter forbids them, awaitExit returns at once.
//
// The end of a process of which all threads are traced is not told. It is looked for after
// killed is closed.
func awaitExit(pid int, killed <-chan struct{}) {
	n, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	file := os.NewFile(uintptr(n), "pidfd") // non-blocking, and so in the poller
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-killed:
			_ = file.SetReadDeadline(time.Now().Add(lookAgain)) // fails where a pidfd can't be polled, as below
		case <-ended:
		}
	}()
	for errors.Is(raw.Read(hasExited), os.ErrDeadlineExceeded) && !isDead(pid) {
		_ = file.SetReadDeadline(time.Now().Add(lookAgain)) // the same
	}
}

// isDead reports whether all threads of a process have ended.
func isDead(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if s, ok := readStatOf(path); ok && s.state != 'Z' && s.state != 'X' {
			return false
		}
	}
	return err == nil && len(threads) > 0
}

// isOthers reports whether a child that has ended is another process's to wait for, which
// traces it.
func isOthers(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == 0 && isDead(pid)
}

// hasExited reports whether a pidfd's process has ended, or can't be polled.
func hasExited(pidfd uintptr) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err != nil || n > 0
		}
	}
}
