package child

import "slices"

// Waits are calls that each wait until certain workers are gone. The master's loop owns
// them. If a call waited for later workers too, a program that starts one in its Exit
// function would make it wait without end.
type Waits struct{ all []wait }

type wait struct {
	ids  map[int]bool // workers that are still there
	done func()
}

// Add has done called when these workers are gone: at once if there are none. It owns ids.
func (w *Waits) Add(ids map[int]bool, done func()) {
	w.all = append(w.all, wait{ids, done})
	w.Gone(0)
}

// Waiting reports whether a call waits.
func (w *Waits) Waiting() bool { return len(w.all) > 0 }

// Gone says that a worker has gone, and ends the waits that are over.
func (w *Waits) Gone(id int) {
	var over []func()
	w.all = slices.DeleteFunc(w.all, func(c wait) bool {
		delete(c.ids, id)
		if len(c.ids) == 0 {
			over = append(over, c.done)
		}
		return len(c.ids) == 0
	})
	for _, done := range over {
		done()
	}
}
