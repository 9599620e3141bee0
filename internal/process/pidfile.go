package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PIDFile is the file that this process has written its pid to. The zero value is none.
type PIDFile struct {
	path string // "" if there is no file of this process
}

// Write writes this process's pid to the file at path, readable for everybody. It replaces
// the file atomically: a reader finds the old pid or the new one. It does nothing if path
// is "".
func (p *PIDFile) Write(path string) error {
	if path == "" {
		return nil
	}
	if err := writePID(path); err != nil {
		return fmt.Errorf("PID file: %w", err)
	}
	p.path = path
	return nil
}

// Disown leaves the file to another process, which has replaced it or is about to.
func (p *PIDFile) Disown() { p.path = "" }

// Remove removes the file, unless it holds the pid of another process. It leaves the file
// where it can't be removed, as in a directory that has become read-only. A process that
// writes the file at the same moment may lose it: call Disown if there may be one.
func (p *PIDFile) Remove() {
	b, err := os.ReadFile(p.path)
	if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid()) {
		_ = os.Remove(p.path)
	}
	p.path = ""
}

func writePID(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it is gone
	_, err = fmt.Fprintln(f, os.Getpid())
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
