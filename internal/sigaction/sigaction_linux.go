//go:build linux

package sigaction

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// action is the kernel's struct of a signal's action, which begins with the handler (on MIPS it
// doesn't). It is larger than on any system.
type action [8]uintptr

const (
	sigDfl = 0 // SIG_DFL
	sigIgn = 1 // SIG_IGN
)

func ignore(signals []os.Signal) (undo func()) { return set(signals, sigIgn) }

func setDefault(signals []os.Signal, patience time.Duration) (undo func()) {
	if os.Getpid() == 1 {
		return func() {}
	}
	undo = set(signals, sigDfl)
	for end := time.Now().Add(patience); handling() && time.Now().Before(end); {
		time.Sleep(50 * time.Microsecond)
	}
	return undo
}

// set makes handler the action of signals that aren't ignored, until undo.
func set(signals []os.Signal, handler uintptr) (undo func()) {
	was := map[syscall.Signal]*action{}
	for _, s := range signals {
		s, ok := s.(syscall.Signal)
		old := new(action)
		if ok && sigaction(s, nil, old) && old[0] != sigIgn && sigaction(s, &action{handler}, new(action)) {
			was[s] = old
		}
	}
	return func() {
		for s, old := range was {
			sigaction(s, old, new(action))
		}
	}
}

// sigaction sets the action of a signal, unless to is nil, and reports whether it could.
func sigaction(s syscall.Signal, to, old *action) bool {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return false
	}
	const sizeOfSet = 8
	_, _, err := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), pointer(to), pointer(old), sizeOfSet, 0, 0)
	runtime.KeepAlive(to)
	runtime.KeepAlive(old)
	return err == 0
}

func pending(s os.Signal) bool {
	n, ok := s.(syscall.Signal)
	b, _ := os.ReadFile("/proc/self/status")
	return ok && maskIn(b, "ShdPnd")&(1<<(n-1)) != 0
}

// handling reports whether a thread of this process is in a handler of Go's runtime. All signals are
// blocked there, also SIGSEGV, which the runtime leaves to its threads otherwise.
func handling() bool {
	const tasks = "/proc/self/task"
	all, _ := os.ReadDir(tasks)
	for _, task := range all {
		b, _ := os.ReadFile(filepath.Join(tasks, task.Name(), "status")) // it may have ended
		if maskIn(b, "SigBlk")&(1<<(syscall.SIGSEGV-1)) != 0 {
			return true
		}
	}
	return false
}

// maskIn returns the signals that a field of a status file has; none if it can't be read.
func maskIn(status []byte, field string) uint64 {
	_, mask, _ := strings.Cut(string(status), field+":\t")
	mask, _, _ = strings.Cut(mask, "\n")
	n, _ := strconv.ParseUint(mask, 16, 64)
	return n
}

func pointer(a *action) uintptr { return reflect.ValueOf(a).Pointer() }
