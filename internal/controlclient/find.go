package controlclient

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rota-go/rota/internal/control"
)

// Find returns the path of a control socket: socket, or that of the process pid, or the one that
// this process's environment names.
func Find(socket string, pid int, getenv func(string) string) (string, error) {
	if socket != "" {
		return socket, nil
	}
	if pid != 0 {
		return ofProcess("/proc", pid)
	}
	if path := fromEnvironment(getenv); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("%w: give -socket or -pid, or set ROTA_CONTROL", ErrNoMaster)
}

func fromEnvironment(getenv func(string) string) string {
	if path := getenv("ROTA_CONTROL"); path != "" && path != "off" {
		return path
	}
	if dir, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":"); dir != "" {
		return filepath.Join(dir, "rota.sock")
	}
	return ""
}

// ofProcess returns the path of the control socket that a process has bound, or else the one
// that its environment names.
func ofProcess(proc string, pid int) (string, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%w: no process %d", ErrNoMaster, pid)
	}
	if path := bound(dir); path != "" {
		return path, nil
	}
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, ErrDenied)
	}
	path := fromEnvironment(func(name string) string {
		for v := range bytes.SplitSeq(environ, []byte{0}) {
			if value, ok := strings.CutPrefix(string(v), name+"="); ok {
				return value
			}
		}
		return ""
	})
	if path == "" {
		return "", fmt.Errorf("%w: process %d has no control socket", ErrNoMaster, pid)
	}
	return path, nil
}

// bound returns the path of the control socket among the open files of a process. The kernel
// shows the name that it was bound with, and has renamed since.
func bound(dir string) string {
	table, _ := os.ReadFile(filepath.Join(dir, "net/unix"))
	paths := map[string]string{} // by inode
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) == 8 && strings.HasSuffix(f[7], control.Suffix) {
			paths[f[6]] = strings.TrimSuffix(f[7], control.Suffix)
		}
	}
	links, _ := filepath.Glob(filepath.Join(dir, "fd/*"))
	for _, link := range links {
		target, _ := os.Readlink(link)
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			if path := paths[strings.TrimSuffix(inode, "]")]; path != "" {
				return path
			}
		}
	}
	return ""
}
