package logqueue

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// askAgain is for how long a handler isn't asked again about a level whose lines it didn't want.
const askAgain = time.Second

var known = []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// levels remembers which lines a handler didn't want when it was asked last, on the goroutine that writes. Lines that nobody
// wants would fill the queue, and cost more than those that are written.
type levels struct {
	made    time.Time
	refused [4]atomic.Int64 // for each of known: when, since made; 0: the lines are wanted, or it wasn't asked
}

func newLevels() *levels { return &levels{made: time.Now()} }

// wanted reports whether lines of a level are to be queued.
func (l *levels) wanted(level slog.Level) bool {
	i := slices.Index(known, level)
	if i < 0 {
		return true
	}
	at := l.refused[i].Load()
	return at == 0 || time.Since(l.made)-time.Duration(at) >= askAgain
}

// answered takes what the handler says of a level.
func (l *levels) answered(level slog.Level, wanted bool) {
	i := slices.Index(known, level)
	switch {
	case i < 0:
	case wanted:
		l.refused[i].Store(0)
	default:
		l.refused[i].Store(max(1, int64(time.Since(l.made))))
	}
}
