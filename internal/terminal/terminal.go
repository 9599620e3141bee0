// Package terminal tells a server what its controlling terminal does: whether the process
// is a background job of it, and whether it was closed.
package terminal

import (
	"os"
	"sync"
	"time"
)

// justNow is how long after the terminal was closed a SIGHUP is taken to be about that. The
// kernel sends it at once, a shell soon after.
const justNow = 2 * time.Second

// Terminal is the controlling terminal of this process. A nil Terminal is none.
type Terminal struct {
	file *os.File

	mu     sync.Mutex
	closed time.Time // when that was noticed
}

// Open returns the controlling terminal, or nil if there is none. It starts a goroutine,
// which ends with the terminal or with Close.
func Open() *Terminal {
	file := open()
	if file == nil {
		return nil
	}
	t := &Terminal{file: file}
	go t.watch()
	return t
}

// Close releases the descriptor.
func (t *Terminal) Close() {
	if t != nil {
		_ = t.file.Close() // nothing was written
	}
}

// InBackground reports whether this process is a background job of the terminal: the kernel
// sends it SIGTTIN and SIGTTOU when it reads and writes.
func (t *Terminal) InBackground() bool {
	return t != nil && t.inBackground()
}

// JustClosed reports whether the terminal was closed in the last seconds.
func (t *Terminal) JustClosed() bool {
	if t == nil || !t.isClosed() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed.IsZero() || time.Since(t.closed) < justNow // zero: watch is about to notice
}

// watch waits until the terminal is closed, and notes the time.
func (t *Terminal) watch() {
	if t.awaitClosed() != nil {
		return // Close was called
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = time.Now()
}
