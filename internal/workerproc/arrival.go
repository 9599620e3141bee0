package workerproc

import (
	"sync"
	"sync/atomic"
	"time"
)

// arrivalPatience is how long after its arrival main may still call OnMessage: it may do so
// on another goroutine than Accept.
const arrivalPatience = time.Second

// arrival is when main has come to what it does: its first Accept, ReadFrom or Ready.
type arrival struct {
	once sync.Once
	at   atomic.Pointer[time.Time] // nil: not yet
}

// record records the arrival, the first time.
func (a *arrival) record() {
	a.once.Do(func() {
		now := time.Now()
		a.at.Store(&now)
	})
}

// settled reports whether main arrived so long ago that what it has not called by now it
// won't call.
func (a *arrival) settled() bool {
	at := a.at.Load()
	return at != nil && time.Since(*at) >= arrivalPatience
}
