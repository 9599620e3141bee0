//go:build linux

package master

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// children are the pids of this process's children, dead ones included.
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

// stat is what /proc says of a process.
type stat struct {
	state  byte
	parent int
}

func readStat(pid int) (s stat, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, false
	}
	i := bytes.LastIndexByte(b, ')') // the name before it may hold anything
	if i < 0 {
		return s, false
	}
	_, err = fmt.Sscanf(string(b[i+1:]), " %c %d", &s.state, &s.parent)
	return s, err == nil
}
