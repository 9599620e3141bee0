//go:build linux

package e2etest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// withMark returns the processes that have mark in their environment. Without a mark it
// returns none: every process has the empty one.
func withMark(mark string) (pids []int) {
	if mark == "" {
		return nil
	}
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(mark+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// ChildrenOf returns the children of a process.
func ChildrenOf(pid int) (pids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	seen := map[string]bool{}
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		for _, f := range strings.Fields(string(b)) {
			if !seen[f] {
				seen[f] = true
				child, _ := strconv.Atoi(f)
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// ChildrenNamed returns those children of a process whose command has that name.
func ChildrenNamed(parent int, name string) []int {
	return childrenThat(parent, func(comm string) bool { return comm == name })
}

// workerName is the name of a worker's process: the program's, and the slot.
var workerName = regexp.MustCompile(`:w\d+$`)

// WorkersOf returns the children of a master that are workers, also after they have ended.
func WorkersOf(master int) []int { return childrenThat(master, workerName.MatchString) }

// childrenThat returns those children of a process whose name is one that is wanted.
func childrenThat(parent int, wanted func(comm string) bool) (pids []int) {
	for _, pid := range ChildrenOf(parent) {
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); wanted(strings.TrimSpace(string(comm))) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Alive reports whether a process runs: it has not ended, and is no zombie.
func Alive(pid int) bool {
	state := stateOf(fmt.Sprintf("/proc/%d/stat", pid))
	return state != "" && state != "Z" && state != "X"
}

// stateOf returns the state in a stat file, or "" if the process or thread is gone.
func stateOf(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// Stopped reports whether all threads of a process are stopped by a signal.
func Stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if state := stateOf(path); state != "T" && state != "" {
			return false
		}
	}
	return len(threads) > 0
}

// Zombies returns how many children of a process have ended without being waited for.
func Zombies(parent int) (n int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[0] == "Z" && f[1] == strconv.Itoa(parent) {
			n++
		}
	}
	return n
}

// Descriptors returns how many descriptors a process has open.
func Descriptors(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}

// ResidentKB returns the resident memory of a process, in units of 1,024 bytes.
func ResidentKB(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var size, resident int
	_, _ = fmt.Sscan(string(b), &size, &resident)
	return resident * os.Getpagesize() / 1024
}

// CPUTime returns the processor time that a process has used, in user and system mode: what
// its clock says (clock_getcpuclockid(3)), with that of threads that have ended.
func CPUTime(pid int) time.Duration {
	const scheduler = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	_ = unix.ClockGettime(int32(^pid<<3|scheduler), &t) // an error: it has ended
	return time.Duration(t.Nano())
}

// ChildrenTime returns the processor time of the children of a process that it has waited
// for, in steps of 10 ms.
func ChildrenTime(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	var ticks int
	if f := strings.Fields(rest); len(f) > 14 {
		user, _ := strconv.Atoi(f[13])
		system, _ := strconv.Atoi(f[14])
		ticks = user + system
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Kill sends SIGKILL to a process.
func Kill(t testing.TB, pid int) {
	t.Helper()
	NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}
