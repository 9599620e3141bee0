package reload

import "time"

// tally counts the members of a slot, or of the rota.
type tally struct {
	starting, ready, leaving int           // each member that isn't dead is one of them
	draining                 int           // of those that leave
	served                   int           // slots with a member that is ready and serves
	slowest                  time.Duration // of one slot: how long its slowest serving member took to become ready
}

// count returns the tally of a slot's members.
func count(members []*Member) (t tally) {
	for _, m := range members {
		switch {
		case m.dead():
		case !m.Serving():
			t.leaving++
		case !m.IsReady():
			t.starting++
		default:
			t.ready++
			t.served = 1
			t.slowest = max(t.slowest, m.Ready.Sub(m.Started))
		}
		if m.draining() {
			t.draining++
		}
	}
	return t
}

// add adds the counters of o so many times.
func (t *tally) add(o tally, times int) {
	t.starting += times * o.starting
	t.ready += times * o.ready
	t.leaving += times * o.leaving
	t.draining += times * o.draining
	t.served += times * o.served
}
