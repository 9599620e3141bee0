//go:build linux

package keeper

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/sdnotify"
)

// message is a datagram that a process has sent to the keeper's NOTIFY_SOCKET.
type message struct {
	pid   int // of the sender, as the kernel says
	lines []string
	files []int // the receiver's, to keep or to close
}

// parse reads a datagram and what came with it. Files that the kernel could not pass are missing.
func parse(b, oob []byte) (m message) {
	m.lines = strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	controls, _ := unix.ParseSocketControlMessage(oob)
	for i := range controls {
		if cred, err := unix.ParseUnixCredentials(&controls[i]); err == nil {
			m.pid = int(cred.Pid)
		}
		if files, err := unix.ParseUnixRights(&controls[i]); err == nil {
			m.files = append(m.files, files...)
		}
	}
	return m
}

// says reports whether a line is there.
func (m message) says(line string) bool { return slices.Contains(m.lines, line) }

// value returns the value of a variable, or "".
func (m message) value(name string) string {
	for _, l := range m.lines {
		if v, ok := strings.CutPrefix(l, name+"="); ok {
			return v
		}
	}
	return ""
}

// mainPID returns the process that is the main one from now on, or 0.
func (m message) mainPID() int {
	pid, err := strconv.Atoi(m.value("MAINPID"))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// next returns the new master of an upgrade, or 0 if that has ended, and whether the message is about one.
func (m message) next() (pid int, ok bool) {
	pid, err := strconv.Atoi(m.value(sdnotify.Next))
	return pid, err == nil && pid >= 0
}

// forOthers returns what an outer manager is told: all but descriptors and pids, which are
// between the master and the keeper. "" is nothing.
func (m message) forOthers() string {
	lines := slices.DeleteFunc(slices.Clone(m.lines), func(l string) bool {
		name, _, _ := strings.Cut(l, "=")
		return slices.Contains([]string{"FDSTORE", "FDNAME", "FDSTOREREMOVE", "FDPOLL", "MAINPID", "MAINPIDFDID", "BARRIER", sdnotify.Next, ""}, name)
	})
	return strings.Join(lines, "\n")
}

// close closes the files.
func (m message) close() {
	for _, n := range m.files {
		_ = unix.Close(n) // nothing was written to it
	}
}
