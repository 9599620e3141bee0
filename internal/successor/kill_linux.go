//go:build linux

package successor

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
)

// kill kills the child of this process that start has started with mark. tableflip doesn't
// tell the pid, and one that never says hello must be ended too.
func kill(mark string) {
	variable := []byte(link.EnvUpgrade + "=" + mark)
	for _, pid := range process.Children() {
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
