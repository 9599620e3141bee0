//go:build linux

package successor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/rota-go/rota/internal/link"
)

func kill(mark string) {
	variable := []byte(link.EnvUpgrade + "=" + mark)
	for _, pid := range children() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && hasVariable(env, variable) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // fails if the process has just ended
		}
	}
}

func hasVariable(environ, variable []byte) bool {
	for _, v := range bytes.Split(environ, []byte{0}) {
		if bytes.Equal(v, variable) {
			return true
		}
	}
	return false
}

// children returns the pids of this process's children.
func children() (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && parentOf(path) == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf reads a process's parent from its stat file: the second field after the name,
// which is in parentheses and may hold anything. It returns 0 if the process has ended.
func parentOf(stat string) (parent int) {
	b, err := os.ReadFile(stat)
	if err != nil {
		return 0
	}
	var state byte
	_, _ = fmt.Sscanf(string(b[bytes.LastIndexByte(b, ')')+1:]), " %c %d", &state, &parent)
	return parent
}
