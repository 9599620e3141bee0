//go:build linux

package worker

import (
	"os"
	"path/filepath"
	"strings"
)

// keepName gives the process the name back that ps and top show. A worker whose
// generation's file is no longer at its path was started through /proc/self/fd/9, and
// the kernel calls it "9".
func keepName() {
	const comm = "/proc/self/comm"
	b, err := os.ReadFile(comm)
	name := strings.TrimSpace(string(b))
	if err != nil || name == "" || strings.Trim(name, "0123456789") != "" || len(os.Args) == 0 {
		return
	}
	_ = os.WriteFile(comm, []byte(filepath.Base(os.Args[0])), 0) // the kernel cuts it; without it all works the same
}
