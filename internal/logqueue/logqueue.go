// Package logqueue puts a bounded queue between those who log and the handler that writes
// the lines, which may be slow, block or panic: standard error may be a pipe that nobody
// reads, and a slog.Handler is code of the program.
package logqueue

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// MaxWaiting is how many lines wait to be written at most. Further ones are dropped and
// counted: a later line says how many.
const MaxWaiting = 512

// New returns a logger whose methods never block: another goroutine passes the lines to the
// handler of to, in order. There is no such goroutine while nothing waits. If to is a logger
// of New, it is returned as it is.
func New(to *slog.Logger) *slog.Logger {
	if _, ok := to.Handler().(handler); ok {
		return to
	}
	return slog.New(newHandler(&queue{to: to.Handler()}, to.Handler()))
}

// Flush waits until nothing waits to be written to l, a logger of New, for at most timeout.
// If the line at which an earlier Flush has given up is still being written, it returns at
// once.
func Flush(l *slog.Logger, timeout time.Duration) {
	if h, ok := l.Handler().(handler); ok {
		h.q.flush(timeout)
	}
}

// handler is the slog.Handler that those who log call.
type handler struct {
	q      *queue
	to     slog.Handler
	levels *levels
}

func newHandler(q *queue, to slog.Handler) handler { return handler{q, to, newLevels()} }

// Enabled reports false if the other handler has said so within the last second. It is asked on the
// goroutine that writes.
func (h handler) Enabled(_ context.Context, level slog.Level) bool { return h.levels.wanted(level) }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	h.q.add(line{ctx: ctx, to: h.to, levels: h.levels, record: r.Clone()})
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return newHandler(h.q, h.to.WithAttrs(attrs))
}

func (h handler) WithGroup(name string) slog.Handler { return newHandler(h.q, h.to.WithGroup(name)) }

// Unwrap returns the handler that gets the lines.
func (h handler) Unwrap() slog.Handler { return h.to }

// line is one that waits.
type line struct {
	ctx    context.Context
	to     slog.Handler
	levels *levels
	record slog.Record
	notice bool // of lines that were dropped
}

// queue holds the lines that wait, in order.
type queue struct {
	to slog.Handler

	mu      sync.Mutex
	lines   []line
	dropped int           // since the last notice
	writing bool          // there is a goroutine that writes
	taken   int           // lines that were taken from lines
	stuck   int           // the value of taken at which a flush has given up
	idle    chan struct{} // closed when nothing waits; nil if no flush waits
}

func (q *queue) add(l line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= MaxWaiting {
		q.dropped++
		return
	}
	if q.dropped > 0 {
		q.lines = append(q.lines, q.notice())
	}
	q.lines = append(q.lines, l)
	if !q.writing {
		q.writing = true
		go q.write()
	}
}

// notice returns the line that says how many were dropped. q.mu is held.
func (q *queue) notice() line {
	l := q.warning("rota: log lines dropped, the log is not written fast enough", "lines", q.dropped)
	q.dropped = 0
	return l
}

func (q *queue) warning(text string, args ...any) line {
	r := slog.NewRecord(time.Now(), slog.LevelWarn, text, 0)
	r.Add(args...)
	return line{ctx: context.Background(), to: q.to, levels: newLevels(), record: r, notice: true}
}

// write writes until nothing waits.
func (q *queue) write() {
	finished := false
	defer func() {
		if !finished { // a handler has called runtime.Goexit
			go q.write()
		}
	}()
	for {
		l, ok := q.next()
		if !ok {
			finished = true
			return
		}
		if !l.write() && !l.notice {
			q.lost()
		}
	}
}

// next takes the next line. If there is none, nobody writes any more.
func (q *queue) next() (l line, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.lines) > 0:
		l, q.lines[0] = q.lines[0], line{}
		q.lines = q.lines[1:]
	case q.dropped > 0:
		l = q.notice()
	default:
		q.lines, q.writing = nil, false
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		return line{}, false
	}
	q.taken++
	return l, true
}

// lost counts a line that could not be written.
func (q *queue) lost() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped++
}

// write reports whether the handler has not panicked. Its error is for nobody: there is no
// other place to report it to.
func (l line) write() (written bool) {
	defer func() { _ = recover() }() // counted as dropped
	wanted := l.to.Enabled(l.ctx, l.record.Level)
	l.levels.answered(l.record.Level, wanted)
	if wanted {
		_ = l.to.Handle(l.ctx, l.record)
	}
	return true
}

func (q *queue) flush(timeout time.Duration) {
	idle := q.waiting()
	if idle == nil {
		return
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		q.mu.Lock()
		defer q.mu.Unlock()
		q.stuck = q.taken
	}
}

// waiting returns a channel that is closed when nothing waits; nil if nothing does, or if
// there is no hope.
func (q *queue) waiting() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.writing || q.stuck > 0 && q.stuck == q.taken {
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	return q.idle
}
