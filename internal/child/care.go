package child

import (
	"errors"
	"fmt"
	"time"

	"github.com/rota-go/rota/internal/judge"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// Care marks workers to be replaced that use too much memory or are not well; the policy
// decides when. In a master that is PID 1 it reaps what workers leave behind. Its methods and
// functions run on the master's loop, except Resident and Reap.
type Care struct {
	Work     func(f func() func()) // runs f on another goroutine, and what it returns on the loop
	After    func(time.Duration, func()) (stop func())
	Lines    logline.Worker
	Patients func() []*Patient   // the workers of the pool
	Resident func(pid int) int64 // bytes in use; 0 if not known
	Reap     func(workers map[int]bool) (pids []int)
	Replaced func(slot int, why string) // a worker is to be replaced

	memory  *MemoryWatch // nil: no generation had a limit
	orphans *Orphans     // nil: this process is not PID 1
}

// Patient is a worker in the care of a Care.
type Patient struct {
	*reload.Member
	Changed  func()          // is called when a field of Member has changed
	Process  func() *Process // nil until it is started
	Moves    func() bool     // it can move connections, or take them
	Memory   int64           // the limit in bytes; 0: none
	Interval time.Duration   // between health checks, as configured
	Failures int             // in a row that are too many, as configured

	health *Health   // nil: the worker doesn't answer checks
	said   time.Time // when a line was logged of what the worker has reported
}

// serves reports whether p is to be watched.
func (p *Patient) serves() bool { return p.counts() && !p.Recycle }

// counts reports whether the rota counts on p.
func (p *Patient) counts() bool {
	return p.Exited.IsZero() && p.Draining.IsZero() && p.Unlinked.IsZero()
}

func (p *Patient) pid() int { return p.Process().PID() }

// Gone ends the checks of a worker that has ended.
func (p *Patient) Gone() { p.health.Stop() }

// Members returns the patients as the policy sees them.
func Members(patients []*Patient) (all []*reload.Member) {
	for _, p := range patients {
		all = append(all, p.Member)
	}
	return all
}

// OnTrial returns the patients that serve, of which those of the generation next are canaries, with what they have counted.
func OnTrial(patients []*Patient, next int, counts *Counts) (all []judge.Worker) {
	for _, p := range patients {
		if p.counts() && !p.Ready.IsZero() {
			all = append(all, judge.Worker{ID: p.ID, Canary: p.Generation == next, Counters: counts.Of(p.ID)})
		}
	}
	return all
}

// Recycle marks a worker to be replaced, unless it leaves already.
func (c *Care) Recycle(p *Patient, why string) {
	if p.serves() {
		p.Recycle = true
		p.Changed()
		c.Replaced(p.Slot, why)
		c.Lines.Recycled(p.Member, p.pid(), why)
	}
}

// WatchMemory starts the memory checks, if this is the first limit.
func (c *Care) WatchMemory(limit int64) {
	if limit > 0 && c.memory == nil {
		c.memory = &MemoryWatch{
			Work: c.Work, After: c.After, Resident: c.Resident, Limited: c.limited, Exceeded: c.exceeded,
		}
		c.memory.Start()
	}
}

// limited returns the workers that have a limit, and have had the time to come near it.
func (c *Care) limited() (all []Memory) {
	for _, p := range c.Patients() {
		if p.serves() && !p.Ready.IsZero() && p.Memory > 0 {
			all = append(all, Memory{ID: p.ID, Slot: p.Slot, PID: p.pid(), Limit: p.Memory})
		}
	}
	return all
}

// exceeded recycles a worker that uses more bytes than its limit.
func (c *Care) exceeded(over Memory, used int64) {
	for _, p := range c.Patients() {
		if p.ID == over.ID && p.serves() {
			c.Lines.TooLarge(p.Member, p.pid(), used, over.Limit)
			c.Recycle(p, "memory")
		}
	}
}

// CheckHealth starts the checks of a worker that has said that it answers them.
func (c *Care) CheckHealth(p *Patient) {
	if p.health != nil {
		return
	}
	p.health = &Health{
		Interval: HealthInterval(p.Interval), After: c.After, Serves: p.serves,
		Send:   func(n uint32, within time.Duration) { p.Process().Send(wire.Check, n, wire.CheckBody{Within: within}) },
		Failed: func(err error, times int) { c.unwell(p, err, times) },
	}
	p.health.Start()
}

// Checked takes the answer to a check.
func (c *Care) Checked(p *Patient, call uint32, text string) {
	if call == SignOfLife {
		p.Asked = time.Time{}
		p.Changed()
		return
	}
	p.health.Answered(call, text)
}

// AskOnTrial asks a new worker for a sign of life in the last quarter of its trial, of which the
// others take so long: a process that has been stopped is ready, and would accept nothing. No
// worker is asked that has no trial.
func (c *Care) AskOnTrial(p *Patient, others time.Duration) {
	if others <= 0 {
		return
	}
	c.After(others, func() {
		p.Asked = time.Now()
		p.Changed()
		p.Process().Send(wire.Check, SignOfLife, wire.CheckBody{})
	})
}

// unwell recycles a worker after too many failed checks in a row.
func (c *Care) unwell(p *Patient, err error, times int) {
	c.Lines.Unwell(p.Member, p.pid(), times, err)
	if times >= HealthFailures(p.Failures) {
		p.Fault = reload.ErrUnwell
		p.Changed()
		c.Recycle(p, "health")
	}
}

// reportPause is how long no further report of a worker is logged.
const reportPause = time.Minute

// Reported takes what a worker says that is wrong with it; "" is nothing. A worker that has failed
// its health checks stays one that has.
func (c *Care) Reported(p *Patient, text string) {
	text = logline.Clean(wire.Short(text), false)
	switch {
	case errors.Is(p.Fault, reload.ErrUnwell):
	case text == "":
		p.Fault = nil
	default:
		p.Fault = fmt.Errorf("%w: %s", reload.ErrReported, text)
	}
	p.Changed()
	if now := time.Now(); text != "" && now.Sub(p.said) >= reportPause {
		p.said = now
		c.Lines.Reported(p.Member, p.pid(), text)
	}
}

// ReapOrphans starts reaping orphans, if this process is PID 1. workers returns the pids that the
// loop waits for itself.
func (c *Care) ReapOrphans(pid int, workers func() map[int]bool) {
	if pid != 1 {
		return
	}
	c.orphans = &Orphans{Work: c.Work, After: c.After, Reap: c.Reap, Workers: workers, Reaped: c.Lines.Reaped}
	c.orphans.Start()
}

// Stop ends what was started for a pool.
func (c *Care) Stop() {
	c.memory.Stop()
	c.orphans.Stop()
	c.memory, c.orphans = nil, nil
}
