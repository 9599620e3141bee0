package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// WritePIDFile writes this process's pid to the file at path, readable for everybody. It
// replaces the file atomically: a reader finds the old pid or the new one.
func WritePIDFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("PID file: %w", err)
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
	if err != nil {
		return fmt.Errorf("PID file: %w", err)
	}
	return nil
}

// RemovePIDFile removes the file at path if it holds this process's pid. It leaves the
// file where it can't be removed, as in a directory that has become read-only.
func RemovePIDFile(path string) {
	b, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid()) {
		_ = os.Remove(path)
	}
}
