package control

import (
	"fmt"

	"github.com/rota-go/rota/status"
)

// Event says what a Progress is about.
type Event string

// The events of a Progress.
const (
	Phase    Event = "phase"    // the master has entered Progress.Phase
	Starting Event = "starting" // a new worker is being started in the slot
	Ready    Event = "ready"    // it accepts; its trial begins
	Replaced Event = "replaced" // it alone serves the slot
	Back     Event = "back"     // the reload has failed, and the old workers stay or are started again
)

// Progress is a step of a change.
type Progress struct {
	Event      Event  `json:"event"`
	Phase      string `json:"phase,omitempty"`
	Generation int    `json:"generation,omitempty"`
	Slot       int    `json:"slot"`
	Worker     int    `json:"worker,omitempty"`
	PID        int    `json:"pid,omitempty"`
	Done       int    `json:"done"` // slots that are replaced
	Of         int    `json:"of,omitempty"`
}

// String returns the step as a line for a person.
func (p Progress) String() string {
	switch p.Event {
	case Phase:
		return p.Phase
	case Back:
		return fmt.Sprintf("generation %d failed, rolling back", p.Generation)
	case Replaced:
		return fmt.Sprintf("slot %d: worker %d (pid %d) has replaced the old one (%d of %d)", p.Slot, p.Worker, p.PID, p.Done, p.Of)
	}
	return fmt.Sprintf("slot %d: worker %d (pid %d) %s", p.Slot, p.Worker, p.PID, p.Event)
}

// Tracker finds the steps of reloads in the statuses of a master. The zero value is ready.
type Tracker struct {
	phase      string
	generation int           // the one that serves; 0: no status has come
	next       int           // the one that is rolled out
	reported   map[int]Event // by slot: the last event
}

// Next returns what has happened since the last status. It may have missed some statuses.
func (t *Tracker) Next(s status.Status) (all []Progress) {
	if s.Next != t.next || s.Generation != t.generation {
		all = append(all, t.end(s)...)
	}
	if phase := phaseOf(s); phase != t.phase {
		t.phase = phase
		all = append(all, Progress{Event: Phase, Phase: phase})
	}
	if s.Next != t.next {
		t.next, t.reported = s.Next, map[int]Event{}
	}
	t.generation = s.Generation
	if t.next != 0 {
		all = append(all, t.slots(s, t.next)...)
	}
	return all
}

func phaseOf(s status.Status) string {
	if s.Paused.IsZero() {
		return s.Phase
	}
	return s.Phase + ", paused"
}

// end returns the last steps of a reload that has ended, or all of one that was so short that
// no status was made meanwhile.
func (t *Tracker) end(s status.Status) []Progress {
	switch {
	case t.generation != 0 && s.Generation != t.generation:
		if s.Generation != t.next {
			t.reported = map[int]Event{}
		}
		return t.slots(s, s.Generation)
	case t.next != 0:
		return []Progress{{Event: Back, Generation: t.next, Of: s.Want}}
	}
	return nil
}

// slots returns the new events of the slots.
func (t *Tracker) slots(s status.Status, generation int) (all []Progress) {
	for n, workers := range s.Slots() {
		w, event := latest(workers, generation)
		if event == "" || t.reported[n] == event {
			continue
		}
		t.reported[n] = event
		all = append(all, Progress{
			Event: event, Generation: generation, Slot: n, Worker: w.ID, PID: w.PID, Done: t.done(), Of: s.Want,
		})
	}
	return all
}

// latest returns the newest worker of a generation in a slot, and what has happened to it.
func latest(workers []status.Worker, generation int) (w status.Worker, e Event) {
	others := 0
	for _, x := range workers {
		switch {
		case x.Generation == generation:
			w = x
		case x.IsServing():
			others++
		}
	}
	switch {
	case w.ID == 0 || w.PID == 0:
		return w, ""
	case w.IsServing() && others == 0:
		return w, Replaced
	case w.IsServing():
		return w, Ready
	}
	return w, Starting
}

func (t *Tracker) done() (n int) {
	for _, e := range t.reported {
		if e == Replaced {
			n++
		}
	}
	return n
}
