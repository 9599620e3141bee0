package reload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A timeline shows events on the left and the steps of the policy on the right, in
// the order of time:
//
//	  0s  size 2              | start a1, start b1
//	10ms  ready a1, ready b1  | establish
//	  1s  reload              | start a2
//	  3s  ready a2            |
//	  4s  wake                | disconnect a1, start b2
//	 end                      | a2 b1 b2, leaving a1, asks at 40s
//
// Slots are letters and generations are numbers: a2 is the worker of slot 0 and
// generation 2, a2' the one after it, and so on. "(2)" after a start is the number of
// crashes in a row before it. A wake is not an event but a time that the policy
// asked for, and is compared as the steps are.
//
// The events are: size N (the number of slots), ready, crash (exit without being asked
// to), promote, abort, pause, resume, unwell, report, exit, leave (drain by itself), retire (be asked to end, with no worker after
// it), unlink (its link closes), ask and answer (for a sign of life), recycle, reload, wait (another reload waits), unproven,
// stop, stop again, replaced (another master has taken over) and kill.
type timeline struct {
	name   string
	policy Policy
	text   string
}

func runTimelines(t *testing.T, timelines []timeline) {
	t.Helper()
	for _, tl := range timelines {
		t.Run(tl.name, func(t *testing.T) {
			p := player{world: newWorld(t, tl.policy, 0), names: map[int]string{}, ids: map[string]int{}}
			p.onStep = p.record
			want := lines(tl.text)
			for _, line := range want {
				p.play(line)
			}
			if diff := cmp.Diff(want, p.transcript); diff != "" {
				t.Errorf("(-want +got):\n%s\nthe whole timeline:\n%s", diff, strings.Join(p.transcript, "\n"))
			}
		})
	}
}

// lines returns the text as the transcript has it.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		left, right, _ := strings.Cut(line, "|")
		fields := strings.Fields(left)
		if len(fields) == 0 {
			continue
		}
		event := strings.Join(fields[1:], " ")
		if at, err := time.ParseDuration(fields[0]); err == nil {
			fields[0] = at.String()
		}
		all = append(all, form(fields[0], event, strings.Join(strings.Fields(right), " ")))
	}
	return all
}

func form(at, event, steps string) string {
	return strings.TrimRight(fmt.Sprintf("%6s  %-20s | %s", at, event, steps), " ")
}

// player plays the events of a timeline and keeps a transcript.
type player struct {
	*world
	names      map[int]string
	ids        map[string]int
	did        []string // steps since the last event
	transcript []string
}

func (p *player) play(line string) {
	left, _, _ := strings.Cut(line, "|")
	fields := strings.Fields(left)
	if fields[0] == "end" {
		p.transcript = append(p.transcript, form("end", "", p.summary()))
		return
	}
	at, err := time.ParseDuration(fields[0])
	if err != nil {
		p.t.Fatal(err)
	}
	events := strings.Join(fields[1:], " ")
	t := p.begin.Add(at)
	if events == "wake" {
		p.wakeUntil(t.Add(1))
		return
	}
	p.wakeUntil(t)
	p.now = t
	for event := range strings.SplitSeq(events, ", ") {
		verb, arg, _ := strings.Cut(event, " ")
		if event == "stop again" {
			verb = event
		}
		p.happen(verb, arg)
	}
	p.decide(events)
}

// wakeUntil asks the policy at each of its wake times before t.
func (p *player) wakeUntil(t time.Time) {
	for !p.wake.IsZero() && p.wake.Before(t) {
		p.now = p.wake
		p.decide("wake")
	}
}

func (p *player) decide(event string) {
	p.did = nil
	p.reconcile()
	p.transcript = append(p.transcript, form(p.now.Sub(p.begin).String(), event, strings.Join(p.did, ", ")))
}

func (p *player) happen(verb, arg string) {
	switch verb {
	case "size":
		fmt.Sscan(arg, &p.goal.Workers)
	case "reload":
		p.reload()
	case "wait":
		p.goal.Superseded = true
	case "promote":
		p.goal.Promoted = true
	case "pause":
		p.pause()
	case "resume":
		p.resume()
	case "abort":
		p.goal.Aborted = true
	case "unproven":
		p.goal.Unproven = true
	case "kill":
		p.goal.Stop, p.goal.Kill = true, true
	case "stop":
		p.goal.Stop, p.goal.Replaced = true, false
	case "replaced":
		p.goal.Stop, p.goal.Replaced = true, true
	case "stop again":
		p.goal.Hurry = true
	default:
		p.memberEvent(verb, p.member(arg))
	}
}

func (p *player) memberEvent(verb string, m *Member) {
	switch verb {
	case "ready":
		m.Ready = p.now
	case "crash", "exit":
		p.exit(m)
	case "leave":
		p.leave(m)
	case "retire":
		p.leave(m)
		m.Retired = true
	case "unlink":
		m.Unlinked = p.now
	case "ask":
		m.Asked = p.now
	case "answer":
		m.Asked = time.Time{}
	case "recycle":
		m.Recycle = true
	case "unwell":
		m.Fault = ErrUnwell
	case "report":
		m.Fault = fmt.Errorf("%w: no database", ErrReported)
	default:
		p.t.Fatalf("unknown event %q", verb)
	}
}

func (p *player) member(name string) *Member {
	i, ok := p.index[p.ids[name]]
	if !ok {
		p.t.Fatalf("%v: worker %q does not exist\n%s", p.now.Sub(p.begin), name, strings.Join(p.transcript, "\n"))
	}
	return &p.members[i]
}

// record adds a step to the transcript.
func (p *player) record(s *Step) {
	switch s.Do {
	case Start:
		p.did = append(p.did, "start "+p.newName(s))
	case Abort:
		p.did = append(p.did, fmt.Sprintf("abort (%s %v)", p.names[s.ID], s.Err))
	case Establish, Prove, Complete, RolledBack, Stopped:
		p.did = append(p.did, s.Do.String())
	default:
		p.did = append(p.did, s.Do.String()+" "+p.names[s.ID])
	}
}

func (p *player) newName(s *Step) string {
	name := fmt.Sprintf("%c%d", 'a'+s.Slot, s.Generation)
	for p.ids[name] != 0 {
		name += "'"
	}
	id := p.lastID + 1
	p.names[id], p.ids[name] = name, id
	if s.Crashes > 0 {
		return fmt.Sprintf("%s (%d)", name, s.Crashes)
	}
	return name
}

// summary lists the members at the end: serving, leaving and dead; and the wake time.
func (p *player) summary() string {
	var up, draining, dead []string
	for _, id := range slices.Sorted(maps.Keys(p.index)) {
		switch m := &p.members[p.index[id]]; {
		case isUp(m):
			up = append(up, p.names[m.ID])
		case m.Exited.IsZero():
			draining = append(draining, p.names[m.ID])
		default:
			dead = append(dead, p.names[m.ID])
		}
	}
	parts := []string{"none"}
	if len(up) > 0 {
		slices.Sort(up)
		parts[0] = strings.Join(up, " ")
	}
	if len(draining) > 0 {
		parts = append(parts, "leaving "+strings.Join(draining, " "))
	}
	if len(dead) > 0 {
		parts = append(parts, "dead "+strings.Join(dead, " "))
	}
	if p.wake.IsZero() {
		return strings.Join(append(parts, "at rest"), ", ")
	}
	return strings.Join(append(parts, "asks at "+p.wake.Sub(p.begin).String()), ", ")
}
