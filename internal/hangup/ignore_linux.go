//go:build linux

package hangup

import (
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// action is the kernel's struct of a signal's action, which begins with the handler (on MIPS it
// doesn't). It is larger than on any system.
type action [8]uintptr

const sigIgn = 1 // SIG_IGN

// ignore makes the kernel ignore signals, until undo.
func ignore(signals []os.Signal) (undo func()) {
	was := map[syscall.Signal]*action{}
	for _, s := range signals {
		s, ok := s.(syscall.Signal)
		if old := new(action); ok && sigaction(s, &action{sigIgn}, old) {
			was[s] = old
		}
	}
	return func() {
		for s, old := range was {
			sigaction(s, old, new(action))
		}
	}
}

// sigaction sets the action of a signal, and reports whether it could.
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

// pending reports whether SIGHUP has been sent to this process, and none of its threads has got
// round to it.
func pending() bool {
	b, _ := os.ReadFile("/proc/self/status")
	_, mask, _ := strings.Cut(string(b), "ShdPnd:\t")
	mask, _, _ = strings.Cut(mask, "\n")
	n, _ := strconv.ParseUint(mask, 16, 64) // 0 if it can't be read
	return n&(1<<(syscall.SIGHUP-1)) != 0
}

func pointer(a *action) uintptr { return reflect.ValueOf(a).Pointer() }
