// Package window bounds what waits between the goroutine that reads a link and the
// goroutine that calls the program's functions. When the functions fall behind, the
// link is not read and the sender's queue fills.
package window

import "sync"

// Window counts the bytes that wait. Its limit is soft: a message is admitted whole
// while the window is open, so that a message of any size can pass.
type Window struct {
	mu     sync.Mutex
	opened sync.Cond
	used   int
	limit  int // negative: none
	closed bool
}

// New returns a window of about limit bytes. A negative limit means none.
func New(limit int) *Window {
	w := &Window{limit: limit}
	w.opened.L = &w.mu
	return w
}

// Acquire waits until the window is open, and adds n bytes.
func (w *Window) Acquire(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = w.closed || w.exceeds(w.limit)
	for w.closed {
		w.opened.Wait()
	}
	w.used += n
}

// Used returns how many bytes wait.
func (w *Window) Used() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.used
}

func (w *Window) exceeds(limit int) bool { return w.limit >= 0 && w.used > limit }

// Release takes n bytes off. A window that was full opens again when it is half empty:
// to wake the reader for every message is slower than to wake it once for many.
func (w *Window) Release(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used -= n
	w.openIfHalfEmpty()
}

// Widen raises the limit. A negative limit means none. It never lowers the limit.
func (w *Window) Widen(limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.limit >= 0 && (limit < 0 || limit > w.limit) {
		w.limit = limit
		w.openIfHalfEmpty()
	}
}

func (w *Window) openIfHalfEmpty() {
	if w.closed && !w.exceeds(w.limit/2) {
		w.closed = false
		w.opened.Broadcast()
	}
}
