//go:build linux

package sharedsocket

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// interruptThreads interrupts the system calls of all threads. The Go runtime uses SIGURG
// for this too, so programs are prepared for it.
func interruptThreads() {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Tgkill(unix.Getpid(), tid, unix.SIGURG) // it may have ended
		}
	}
}
