//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

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

func readStat(pid int) (s stat, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
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
