//go:build linux

package worker

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// interruptThreads interrupts the system calls of all threads. SIGURG is what the
// runtime itself uses for that; a program is prepared to get it for no reason.
func interruptThreads() {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Tgkill(unix.Getpid(), tid, unix.SIGURG) // it may have ended
		}
	}
}
