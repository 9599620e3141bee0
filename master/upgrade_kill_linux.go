//go:build linux

package master

import (
	"bytes"
	"fmt"
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
)

// killMarked kills the child of this process that was started with nonce. tableflip
// keeps its pid to itself, and one that never says hello must be ended too.
func killMarked(nonce string) {
	mark := []byte(link.EnvUpgrade + "=" + nonce)
	for _, pid := range process.Children() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && hasVariable(env, mark) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may end just now
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
