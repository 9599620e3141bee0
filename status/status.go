// Package status says what a master knows, as values: its generations, workers and sockets,
// and the last changes. (*master.Master).Status makes one, and the command rota reads
// it from the master's control socket as JSON.
//
// All values are copies: nobody changes them afterwards, and they hold nothing open.
package status

import (
	"slices"
	"time"
)

// Status is what a master knew at a time.
type Status struct {
	Time time.Time `json:"time"` // when it was made
	PID  int       `json:"pid"`  // of the master

	Phase      string    `json:"phase"`           // a name of reload.Phase: "serving", "rolling out", …
	Generation int       `json:"generation"`      // the one that serves; 0: none does yet
	Next       int       `json:"next,omitempty"`  // the one that a reload rolls out; 0: none
	Paused     time.Time `json:"paused,omitzero"` // since when that reload stands still; zero: it doesn't
	Want       int       `json:"want"`            // how many workers Run keeps; 0: Run isn't under way

	Drained bool `json:"drained,omitempty"` // balancers are told to send new clients elsewhere: see (*master.Master).SetDrained

	Workers  []Worker  `json:"workers"`            // those that are alive, by slot and id
	Backoffs []Backoff `json:"backoffs,omitempty"` // the slots that have none, because it has crashed, by slot
	Releases []Release `json:"releases"`           // what the generations of these workers run, by generation
	Total    Counters  `json:"total"`              // of all workers that there have been, by the last that each has said
	Sockets  []Socket  `json:"sockets"`            // that the master has open, by address
	Reload   *Change   `json:"reload,omitempty"`   // the last one that has ended
	History  []Change  `json:"history,omitempty"`  // the last HistorySize changes, the oldest first
	Tallies  []Tally   `json:"tallies,omitempty"`  // of all changes since the service was started, by kind, slot and reason
}

// HistorySize is how many changes a master keeps.
const HistorySize = 100

// Worker is one worker process.
type Worker struct {
	ID         int       `json:"id"`
	Slot       int       `json:"slot"`
	Generation int       `json:"generation"`
	PID        int       `json:"pid,omitempty"` // 0: the process is being started
	State      State     `json:"state"`
	Started    time.Time `json:"started"`
	Ready      time.Time `json:"ready,omitzero"`    // since when; zero: it isn't ready
	Draining   time.Time `json:"draining,omitzero"` // since when; zero: it doesn't drain
	Crashes    int       `json:"crashes,omitempty"` // in a row, of its slot, before this worker
	Counters   Counters  `json:"counters"`          // as it has said last; see (*master.Master).Count
	Forked     bool      `json:"forked,omitempty"`  // by (*master.Master).Fork: Run doesn't keep it
	Fault      string    `json:"fault,omitempty"`   // what is wrong with it, by its health checks or as it says itself; "": nothing
}

// Backoff is a slot that has no worker because the last ones have crashed, or left too soon, as reload.Policy says.
type Backoff struct {
	Slot       int       `json:"slot"`
	Generation int       `json:"generation"` // of the next worker
	Crashes    int       `json:"crashes"`    // in a row
	Until      time.Time `json:"until"`      // when the next is started
}

// Age returns how long ago the worker was started.
func (w Worker) Age(now time.Time) time.Duration { return now.Sub(w.Started) }

// IsServing reports whether the worker is ready and doesn't drain.
func (w Worker) IsServing() bool {
	return !w.Ready.IsZero() && w.Draining.IsZero() && (w.State == Listening || w.State == Online)
}

// Release is what the workers of a generation run.
type Release struct {
	Generation int    `json:"generation"`
	Path       string `json:"path,omitempty"`     // of the executable, when the generation was prepared
	Module     string `json:"module,omitempty"`   // the main module, with its version
	Go         string `json:"go,omitempty"`       // the version of Go that has built it
	Revision   string `json:"revision,omitempty"` // of the version control system
	Time       string `json:"time,omitempty"`     // of the revision
	Modified   bool   `json:"modified,omitempty"` // the source differed from the revision
}

// String returns the release in a few words.
func (r Release) String() string {
	s := r.Path
	if r.Revision != "" {
		s += " " + r.Revision[:min(12, len(r.Revision))]
		if r.Modified {
			s += "+"
		}
	}
	return s
}

// Socket is a socket of the master's.
type Socket struct {
	Network string `json:"network"` // as the program asked: "tcp", "unix", …
	Address string `json:"address"` // as the kernel reports it
	Workers int    `json:"workers"` // how many workers have it

	// Queue is how many connections wait for an Accept, and Limit how many may. Both are the
	// kernel's, of TCP sockets on Linux, and sums where each slot has a queue; Limit is 0 where
	// they are not known.
	Queue int `json:"queue"`
	Limit int `json:"limit,omitempty"`
}

// Kind says what a Change was.
type Kind string

// The kinds of changes.
const (
	Reload  Kind = "reload"
	Upgrade Kind = "upgrade"
	Scale   Kind = "scale"
	Crash   Kind = "crash"   // a worker ended that nobody had asked to
	Restart Kind = "restart" // a worker was asked to be replaced
	Drain   Kind = "drain"   // balancers are told to send new clients elsewhere
	Undrain Kind = "undrain" // no longer
)

// Change is something that has changed the workers.
type Change struct {
	Kind  Kind          `json:"kind"`
	Began time.Time     `json:"began"`          // Crash: when the worker has ended
	Took  time.Duration `json:"took,omitempty"` // in ns. Crash: how long the worker has run
	By    string        `json:"by,omitempty"`   // who asked for it; see By

	Generation int    `json:"generation,omitempty"` // Reload: the new one. Crash: the worker's
	Release    string `json:"release,omitempty"`    // Reload: what the new generation runs
	Back       bool   `json:"back,omitempty"`       // Reload: a Rollback, to the release before
	Workers    int    `json:"workers,omitempty"`    // Scale: how many from then on
	Worker     int    `json:"worker,omitempty"`     // Crash, Restart: its id
	Slot       int    `json:"slot,omitempty"`       // Crash, Restart: of the worker
	PID        int    `json:"pid,omitempty"`        // Crash: of the worker. Upgrade: of the new master

	Err    string `json:"err,omitempty"`    // why it has failed, or how the worker ended; "": it has succeeded
	Stderr string `json:"stderr,omitempty"` // Reload, Crash: the worker's last lines, if the master has them (Config.Silent)
}

// Failed reports whether the change was asked for and has failed.
func (c Change) Failed() bool { return c.Err != "" && c.Kind != Crash }

// Slots returns the workers of Run by slot, the oldest first.
func (s Status) Slots() [][]Worker {
	slots := make([][]Worker, max(s.Want, 0))
	for _, w := range s.Workers {
		if !w.Forked && w.Slot < len(slots) {
			slots[w.Slot] = append(slots[w.Slot], w)
		}
	}
	return slots
}

// Release returns what a generation runs; the zero Release if it isn't known.
func (s Status) Release(generation int) Release {
	i := slices.IndexFunc(s.Releases, func(r Release) bool { return r.Generation == generation })
	if i < 0 {
		return Release{}
	}
	return s.Releases[i]
}

// Equal reports whether nothing has changed from s to t but the time, and the numbers of
// connections.
func (s Status) Equal(t Status) bool {
	return s.PID == t.PID && s.Phase == t.Phase && s.Generation == t.Generation && s.Next == t.Next && s.Paused.Equal(t.Paused) && s.Want == t.Want && s.Drained == t.Drained &&
		slices.EqualFunc(s.Workers, t.Workers, Worker.equal) && slices.EqualFunc(s.Sockets, t.Sockets, Socket.equal) &&
		slices.Equal(s.Backoffs, t.Backoffs) && slices.Equal(s.Releases, t.Releases) && slices.Equal(s.History, t.History)
}

func (w Worker) equal(v Worker) bool {
	w.Counters = v.Counters
	return w == v
}

func (s Socket) equal(t Socket) bool {
	s.Queue = t.Queue
	return s == t
}
