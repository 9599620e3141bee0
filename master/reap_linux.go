//go:build linux

package master

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// reap waits for dead children that nobody else can wait for, and returns their pids.
//
// Whose a dead child is can't be seen from the child: an orphan that fell to this process
// looks like one that the program has started and will wait for. But since Go 1.23
// an *os.Process that can still be waited for has a pidfd open, from the moment of the
// fork: a child without one is nobody's. That the workers, mine, have theirs shows that
// it is so here; where it isn't, nothing is reaped.
func reap(mine map[int]bool) (reaped []int) {
	dead := zombies() // before awaited: who waits for one closes its pidfd
	if len(dead) == 0 {
		return nil
	}
	held := awaited()
	if !overlap(held, mine) {
		return nil
	}
	for _, pid := range dead {
		if mine[pid] || held[pid] {
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

func zombies() (pids []int) {
	for _, pid := range children() {
		if s, ok := readStat(pid); ok && s.state == 'Z' {
			pids = append(pids, pid)
		}
	}
	return pids
}

// awaited are the processes that this one has a pidfd of.
func awaited() map[int]bool {
	pids := map[int]bool{}
	infos, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, path := range infos {
		if pid, ok := pidOf(path); ok {
			pids[pid] = true
		}
	}
	return pids
}

// pidOf reads the line that only a pidfd has.
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
