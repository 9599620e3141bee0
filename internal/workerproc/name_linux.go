//go:build linux

package workerproc

import (
	"os"
	"path/filepath"
	"strings"
)

// keepName restores the process name that ps and top show. A worker whose executable is no
// longer at its path is started through /proc/self/fd/N, and the kernel names it "N".
func keepName() {
	const comm = "/proc/self/comm"
	b, err := os.ReadFile(comm)
	name := strings.TrimSpace(string(b))
	if err != nil || name == "" || strings.Trim(name, "0123456789") != "" || len(os.Args) == 0 {
		return
	}
	_ = os.WriteFile(comm, []byte(filepath.Base(os.Args[0])), 0) // the kernel truncates it; an error has no consequences
}
