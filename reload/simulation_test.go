package reload

import (
	"fmt"
	"math/rand"
	"testing"
	"time"
)

// TestSimulation reloads rotas many times, with good and bad releases, crashes, slow
// starts and workers that never exit by themselves, and checks every step.
func TestSimulation(t *testing.T) {
	for _, c := range []struct{ workers, surge, reloads, short int }{
		{1, 1, 300, 30},
		{20, 3, 1000, 50},
		{10000, 2500, 2, 0},
	} {
		reloads := c.reloads
		if testing.Short() {
			reloads = c.short
		}
		t.Run(fmt.Sprintf("workers=%d", c.workers), func(t *testing.T) {
			if reloads == 0 {
				t.Skip("slow: run without -short")
			}
			s := newSimulation(t, c.workers, c.surge)
			for n := range reloads {
				s.oneReload(releases[n%len(releases)])
			}
			s.until(func() bool { return s.wake.IsZero() && len(s.queue) == 0 })
			s.checkRest()
			t.Logf("%d workers, %d reloads (%d completed, %d aborted), %d workers started, %d crashed: at most %d alive, at least %d slots ready, at most %d steps of one Next and %d rounds, %d calls of Next in %v of simulated time",
				c.workers, reloads, s.did[Complete], s.did[Abort], s.did[Start], s.crashed, s.maxUp, s.minReady, s.maxSteps, s.rounds, s.calls, s.now.Sub(s.begin))
		})
	}
}

// tick is the unit of a simulation's time. Events in the same tick happen together.
const tick = 250 * time.Millisecond

// release is how the workers of a generation behave.
type release int

const (
	good      release = iota
	stillborn         // some die before they are ready
	hanging           // some never get ready
	frail             // some die soon after they were ready
)

var releases = []release{good, frail, stillborn, good, hanging, good, frail, good}

type event struct {
	id   int
	what func(*simulation, *Member)
}

type simulation struct {
	*world
	random  *rand.Rand
	queue   map[time.Time][]event
	release release // of the newest generation
	did     map[Action]int
	crashed int
}

func newSimulation(t *testing.T, workers, surge int) *simulation {
	s := &simulation{
		world:  newWorld(t, Policy{Surge: surge, ReadyTimeout: 20 * time.Second}, workers),
		random: rand.New(rand.NewSource(int64(workers))),
		queue:  map[time.Time][]event{},
		did:    map[Action]int{},
	}
	s.quick, s.onStep = true, s.react
	s.reconcile()
	s.until(func() bool { return s.goal.Established })
	return s
}

// oneReload rolls the next release out while some old workers crash. It may return
// while the release is still being rolled back.
func (s *simulation) oneReload(r release) {
	for i := range s.members {
		if isUp(&s.members[i]) && s.random.Intn(20) == 0 {
			s.in(20*time.Second, s.members[i].ID, (*simulation).crash)
		}
	}
	s.release = r
	s.reload()
	s.reconcile()
	s.until(func() bool { return s.goal.Next == 0 })
	if s.random.Intn(2) == 0 {
		s.until(func() bool { return !s.goal.RollingBack })
	}
}

func (s *simulation) until(over func() bool) {
	s.t.Helper()
	for end := s.now.Add(6 * time.Hour); !over(); {
		if s.now = s.now.Add(tick); s.now.After(end) {
			s.fail("not over after six hours")
		}
		events, any := s.queue[s.now]
		delete(s.queue, s.now)
		for _, e := range events {
			if i, ok := s.index[e.id]; ok && s.members[i].Exited.IsZero() {
				e.what(s, &s.members[i])
			}
		}
		if any || !s.wake.IsZero() && !s.wake.After(s.now) {
			s.reconcile()
		}
	}
}

// in schedules an event of a worker at a random time within d.
func (s *simulation) in(d time.Duration, id int, what func(*simulation, *Member)) {
	at := s.now.Add(tick * time.Duration(1+s.random.Int63n(int64(d/tick))))
	s.queue[at] = append(s.queue[at], event{id, what})
}

// react schedules what a step makes of its worker.
func (s *simulation) react(step *Step) {
	s.did[step.Do]++
	stubborn := s.random.Intn(50) == 0
	switch step.Do {
	case Start:
		s.schedule(s.lastID+1, step.Generation)
	case Disconnect:
		if !stubborn {
			s.in(5*time.Second, step.ID, (*simulation).die)
		}
	case Terminate:
		if !stubborn {
			s.in(tick, step.ID, (*simulation).die)
		}
	case Kill:
		s.in(tick, step.ID, (*simulation).die)
	}
}

func (s *simulation) die(m *Member)   { s.exit(m) }
func (s *simulation) crash(m *Member) { s.crashed++; s.exit(m) }
func (s *simulation) ready(m *Member) { m.Ready = s.now }

// schedule decides what becomes of a worker that starts. So many workers of a bad
// release fail that few such releases are completed.
func (s *simulation) schedule(id, generation int) {
	fate := good
	if generation == s.newest && generation != s.goal.Generation && s.random.Intn(s.goal.Workers/4+1) == 0 {
		fate = s.release
	}
	switch {
	case fate == stillborn:
		s.in(2*time.Second, id, (*simulation).die)
		return
	case fate == hanging:
		return
	case fate == frail:
		s.in(3*time.Second, id, (*simulation).ready)
		s.in(6*time.Second, id, (*simulation).die)
		return
	case s.random.Intn(100) == 0:
		s.in(10*time.Second, id, (*simulation).ready)
	default:
		s.in(2*time.Second, id, (*simulation).ready)
	}
}

// BenchmarkNext measures one event in a rota of 10,000 workers.
func BenchmarkNext(b *testing.B) {
	w := newWorld(b, Policy{}, 10000)
	w.quick = true
	w.reconcile()
	for i := range w.members {
		w.members[i].Ready = w.now
	}
	w.reconcile()
	for _, name := range []string{"at rest", "rolling out"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.policy.Next(w.goal, w.members, w.now)
			}
		})
		w.reload()
		w.reconcile()
	}
}
