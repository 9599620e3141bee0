package conn

import (
	"time"

	"github.com/rota-go/rota/internal/handover"
)

const (
	spareTime = 500 * time.Millisecond // how long connections may take to come to rest
	spareTick = 10 * time.Millisecond  // how often it is looked whether they have
)

// Spare has up to n of these connections move by m, which it owns, in a worker that stays: first those
// that are at rest, and then those that are being answered, if they come to rest in time. It returns when
// that has ended.
func Spare(all []*Tracked, m *handover.Mover, n int) {
	defer m.Close()
	chosen := choose(all, m, n)
	for end := time.Now().Add(spareTime); spares(chosen, m) && !m.Ended() && time.Now().Before(end); {
		time.Sleep(spareTick)
	}
	for _, t := range chosen {
		t.move.spare.CompareAndSwap(m, nil) // it stays
	}
}

// choose has the connections that it returns move by m.
func choose(all []*Tracked, m *handover.Mover, n int) (chosen []*Tracked) {
	those := func(may func(*Tracked) bool) {
		for _, t := range all {
			if len(chosen) < n && t.isShared() && may(t) && t.move.spare.CompareAndSwap(nil, m) {
				chosen = append(chosen, t)
				t.Interrupt()
			}
		}
	}
	those(func(t *Tracked) bool { return t.http.Rests() })
	those(func(t *Tracked) bool { return t.http.MayRest() })
	return chosen
}

// isShared reports whether other workers may have the connection.
func (t *Tracked) isShared() bool {
	return t.shared.Cookie != 0 && !t.shared.Stay && !t.move.stays.Load()
}

// spares reports whether one of these connections may still move by m.
func spares(chosen []*Tracked, m *handover.Mover) bool {
	for _, t := range chosen {
		if t.move.spare.Load() == m && !t.closed.Load() {
			return true
		}
	}
	return false
}
