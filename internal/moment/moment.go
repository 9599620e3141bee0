// Package moment records when something has happened for the first time.
package moment

import (
	"sync/atomic"
	"time"
)

// First is the moment at which something has happened for the first time. The zero value is that of what has not happened. It
// may be used by several goroutines.
type First struct {
	at atomic.Pointer[time.Time] // nil: not yet
}

// Record says that it happens now, and returns when it happened for the first time.
func (f *First) Record() time.Time {
	now := time.Now()
	f.at.CompareAndSwap(nil, &now)
	return *f.at.Load()
}

// IsOlder reports whether it has happened, at least that long ago.
func (f *First) IsOlder(than time.Duration) bool {
	at := f.at.Load()
	return at != nil && time.Since(*at) >= than
}
