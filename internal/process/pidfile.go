package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rota-go/rota/internal/mailbox"
)

// PIDFile is the file that this process has written its pid to. The zero value is none. Its
// methods are called on the goroutine of Turns. What they do to the file may take as long as
// the file system does, and is done in Turns, in the order of the calls.
type PIDFile struct {
	Turns  *mailbox.Turns  // nil: at once
	Failed func(err error) // the file could not be written; called as Turns does

	path    string // "" if there is no file of this process; used in Turns
	earlier Written
}

// Written is a PID file that a process has written. The zero value is none.
type Written struct {
	Path string `json:"path"`
	PID  int    `json:"pid"`
}

// inTurn does f after what was done to the file before.
func (p *PIDFile) inTurn(f func()) {
	p.Turns.Do("PID file", func() func() { f(); return func() {} })
}

// Left returns the file at path, which this process leaves to another one, for Replaces there.
func (p *PIDFile) Left(path string) Written { return Written{path, os.Getpid()} }

// Replaces says that Write also replaces the file that another process has left to this one. It may have another name.
func (p *PIDFile) Replaces(earlier Written) { p.inTurn(func() { p.earlier = earlier }) }

// Write writes this process's pid to the file at path, readable for everybody. It replaces
// the file atomically: a reader finds the old pid or the new one. It writes nothing if path
// is "".
func (p *PIDFile) Write(path string) {
	p.Turns.Do("PID file", func() func() {
		if err := writePID(path); err != nil {
			return func() { p.Failed(fmt.Errorf("PID file: %w", err)) }
		}
		if p.path = path; path != p.earlier.Path {
			p.earlier.remove()
		}
		return func() {}
	})
}

// Disown leaves the file to another process, which has replaced it or is about to.
func (p *PIDFile) Disown() { p.inTurn(func() { p.path = "" }) }

// Remove removes the file, unless it holds the pid of another process, or is no regular file
// any more. It leaves the file where it can't be removed, as in a directory that has become
// read-only. A process that writes the file at the same moment may lose it: call Disown if
// there may be one.
func (p *PIDFile) Remove() {
	p.inTurn(func() {
		Written{p.path, os.Getpid()}.remove()
		p.path = ""
	})
}

// remove removes the file, if it is still as it was written.
func (w Written) remove() {
	if w.Path != "" && readPID(w.Path) == w.PID {
		_ = os.Remove(w.Path)
	}
}

// readPID returns the pid in the file at path, or 0. Somebody may have put anything there:
// it doesn't wait for the writer of a FIFO.
func readPID(path string) int {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	b := make([]byte, 32)
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0
	}
	n, _ := f.Read(b) // a pid is read at once, or not at all
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}

func writePID(path string) error {
	if path == "" {
		return nil
	}
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
