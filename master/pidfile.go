package master

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// official makes this process the master to the world outside: its PID file.
func (l *loop) official() {
	path := l.cfg.PIDFile
	if path == "" {
		return
	}
	if err := writePIDFile(path); err != nil {
		l.log.Error("rota: PID file can't be written", "err", err)
		return
	}
	l.pidFile = path
}

// removePIDFile removes the PID file if it is still this master's.
func (l *loop) removePIDFile() {
	path := l.pidFile
	l.pidFile = ""
	if path == "" {
		return
	}
	b, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid()) {
		_ = os.Remove(path) // a directory that has become read-only leaves it there
	}
}

// writePIDFile replaces the file as a whole: who reads it finds one pid or the other.
func writePIDFile(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("PID file: %w", err)
	}
	defer os.Remove(f.Name()) // is gone if all went well
	_, err = fmt.Fprintln(f, os.Getpid())
	if err == nil {
		err = f.Chmod(0o644) // for everybody to read
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
