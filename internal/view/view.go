// Package view makes a status.Status of what a master's loop knows, and tells it to workers. It decides nothing.
package view

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/rota-go/rota/internal/history"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// View is a Status in the making.
type View struct{ s status.Status }

// New returns a view without workers.
func New(now time.Time, state reload.State, goal reload.Goal, sockets []status.Socket, total status.Counters, book *history.Book) *View {
	slices.SortFunc(sockets, func(a, b status.Socket) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), cmp.Compare(a.Address, b.Address))
	})
	v := &View{status.Status{
		Time: now, PID: os.Getpid(), Phase: state.Phase().String(), Drained: state.Drained(), Generation: goal.Generation, Next: goal.Next, Want: goal.Workers,
		Workers: []status.Worker{}, Releases: []status.Release{}, Sockets: sockets, Total: total, Reload: book.Reload(), History: book.All(), Tallies: book.Tallies().All(),
	}}
	if goal.IsPaused() {
		v.s.Paused = goal.Paused
	}
	return v
}

// Add adds a worker that is alive, what it has counted, and what it runs.
func (v *View) Add(m *reload.Member, state status.State, pid int, forked bool, n status.Counters, r status.Release) {
	v.s.Workers = append(v.s.Workers, status.Worker{
		ID: m.ID, Slot: m.Slot, Generation: m.Generation, PID: pid, State: state,
		Started: m.Started, Ready: m.Ready, Draining: m.Draining, Crashes: m.Crashes, Forked: forked, Counters: n, Fault: textOf(m.Fault),
	})
	if r.Generation = m.Generation; v.s.Release(m.Generation) == (status.Release{}) {
		v.s.Releases = append(v.s.Releases, r)
	}
}

// AddBackoffs adds the slots that have no worker.
func (v *View) AddBackoffs(all []reload.Backoff) {
	for _, b := range all {
		v.s.Backoffs = append(v.s.Backoffs, status.Backoff(b))
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Status returns the status. The view is not used afterwards.
func (v *View) Status() status.Status {
	slices.SortFunc(v.s.Workers, func(a, b status.Worker) int { return cmp.Or(a.Slot-b.Slot, a.ID-b.ID) })
	slices.SortFunc(v.s.Releases, func(a, b status.Release) int { return a.Generation - b.Generation })
	return v.s
}
