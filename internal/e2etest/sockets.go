//go:build linux

package e2etest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The flags of an open file, as /proc has them.
const (
	Nonblock = 0o4000
	Cloexec  = 0o2000000
)

// SocketFlags returns the flags of every socket of a process, which must have some.
func SocketFlags(t testing.TB, pid int) []int64 {
	t.Helper()
	flags := SocketFlagsNow(pid)
	if flags == nil {
		t.Fatalf("process %d has no socket", pid)
	}
	return flags
}

// SocketFlagsNow is SocketFlags of a process that may end meanwhile.
func SocketFlagsNow(pid int) (flags []int64) {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for _, e := range entries {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if !strings.HasPrefix(target, "socket:") {
			continue
		}
		if n, err := flagsOf(pid, e.Name()); err == nil { // otherwise closed meanwhile
			flags = append(flags, n)
		}
	}
	return flags
}

func flagsOf(pid int, fd string) (int64, error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(info), "flags:")
	line, _, _ := strings.Cut(rest, "\n")
	return strconv.ParseInt(strings.TrimSpace(line), 8, 64)
}

// SocketsAreSafe fails the test for each socket of a process that isn't O_NONBLOCK and
// O_CLOEXEC.
func SocketsAreSafe(t testing.TB, pid int) {
	t.Helper()
	for _, f := range SocketFlags(t, pid) {
		if f&Nonblock == 0 || f&Cloexec == 0 {
			t.Errorf("process %d has a socket with flags %o: want O_NONBLOCK and O_CLOEXEC", pid, f)
		}
	}
}
