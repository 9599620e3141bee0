// Package served keeps how a master served last, for those who ask it after a new master has taken over.
package served

import (
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/reload"
)

// awaitLimit is how long a master that was replaced stays for answers on its own listeners.
const awaitLimit = time.Second

// Now is how a master serves.
type Now struct {
	Ready, Slots int // slots with a worker that serves, and all
	State        reload.State
}

// Last is what is kept. The zero value keeps nothing. Any goroutine may call its methods.
type Last struct{ kept atomic.Pointer[kept] }

type kept struct {
	now   Now
	await func(limit time.Duration)
}

// Keep keeps now. await waits for the answers on the master's own listeners.
func (l *Last) Keep(now Now, await func(limit time.Duration)) { l.kept.Store(&kept{now, await}) }

// IsKept reports whether a new master has taken over.
func (l *Last) IsKept() bool { return l.kept.Load() != nil }

// Get returns what is kept, or else what ask returns. If that fails the master is closed.
func (l *Last) Get(ask func() (Now, error)) Now {
	now, err := ask()
	if k := l.kept.Load(); k != nil { // maybe since ask was called
		return k.now
	}
	if err != nil {
		now = Now{}
		now.State, _ = now.State.Begin(reload.ChangeClose)
	}
	return now
}

// Await waits for the answers to those who had connected before a new master took over.
func (l *Last) Await() {
	if k := l.kept.Load(); k != nil {
		k.await(awaitLimit)
	}
}
