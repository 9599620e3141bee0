//go:build linux

package successor

import (
	"bytes"
	"fmt"
	"os"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
)

// kill kills the child of this process that start has started with mark. tableflip doesn't
// tell the pid, and one that never says hello must be ended too.
func kill(mark string) {
	for _, pid := range process.Children() {
		killMarked(pid, []byte(link.EnvUpgrade+"="+mark))
	}
}

// killMarked kills a process if it has the variable. By then pid may be another process's:
// the os.Process, which has a pidfd where the kernel has any, is opened first, so that it is
// the one whose environment is read, or one that has ended.
func killMarked(pid int, variable []byte) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer p.Release()
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err == nil && hasVariable(env, variable) {
		_ = p.Kill() // fails if the process has ended
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
