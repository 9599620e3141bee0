package successor

import (
	"errors"
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
)

var (
	errTest    = errors.New("test")
	errStop    = errors.New("stopping")
	errExited  = errors.New("exited")
	hello      = &Message{Kind: Hello, Version: Version, PID: 7}
	oldHello   = &Message{Kind: Hello, PID: 7}
	readyMsg   = &Message{Kind: Ready}
	failedMsg  = &Message{Kind: Failed, Reason: "why"}
	goMsg      = &Message{Kind: Go, State: &Snapshot{Workers: 3}}
	stateMsg   = &Message{Kind: State, State: &Snapshot{}}
	stopMsg    = &Message{Kind: Stop}
	failStop   = &Message{Kind: Stop, Failed: true}
	lateMsg    = &Message{Kind: Late, State: &Snapshot{}}
	socketMsg  = &Message{Kind: Socket, Socket: []byte("{}")}
	givenMsg   = &Message{Kind: Given, Given: []byte("{}")}
	emptyState = &Message{Kind: State}
)

// upgradeEvents are all events of an Upgrade.
var upgradeEvents = map[string]func(*Upgrade) Action{
	"parent gone": func(u *Upgrade) Action { u.ParentGone(); return None },
	"start":       func(u *Upgrade) Action { u.Start(); return None },
	"hello":       func(u *Upgrade) Action { return u.Receive(hello) },
	"old hello":   func(u *Upgrade) Action { return u.Receive(oldHello) },
	"ready":       func(u *Upgrade) Action { return u.Receive(readyMsg) },
	"failed":      func(u *Upgrade) Action { return u.Receive(failedMsg) },
	"announced":   func(u *Upgrade) Action { u.Announced(&Snapshot{}); return None },
	"fail":        func(u *Upgrade) Action { return u.Fail(errTest) },
	"abandon":     func(u *Upgrade) Action { return u.Abandon(errStop) },
}

// The table of Upgrade, whole: what isn't here changes nothing.
func TestUpgradeTable(t *testing.T) {
	type edge struct {
		to UpgradeState
		do Action
	}
	table := map[UpgradeState]map[string]edge{
		Waiting: {"parent gone": {Due, None}, "abandon": {Ended, Answer}},
		Due:     {"start": {Starting, None}, "abandon": {Ended, Answer}},
		Starting: {
			"hello": {Introduced, Introduce}, "old hello": {Stopping, SendStop},
			"failed": {Stopping, AwaitExit}, "fail": {Stopping, SendStop}, "abandon": {Stopping, SendStop},
		},
		Introduced: {
			"ready":  {Announcing, Announce},
			"failed": {Stopping, AwaitExit}, "fail": {Stopping, SendStop}, "abandon": {Stopping, SendStop},
		},
		Announcing: {
			"announced": {Released, None},
			"failed":    {Stopping, AwaitExit}, "fail": {Stopping, SendStop}, "abandon": {Stopping, SendStop},
		},
		Released: {"failed": {Stopping, AwaitExit}, "fail": {Stopping, SendStop}, "abandon": {Stopping, SendStop}},
		Stopping: {"abandon": {Stopping, SendStop}},
		Retired:  {},
		Ended:    {},
	}
	for from := Waiting; from <= Ended; from++ {
		for name, event := range upgradeEvents {
			want, ok := table[from][name]
			if !ok {
				want = edge{from, None}
			}
			u := &Upgrade{state: from}
			if from == Stopping {
				u.err = errTest
			}
			if do := event(u); do != want.do || u.state != want.to {
				t.Errorf("%s in state %d: action %d, state %d; want %d, %d", name, from, do, u.state, want.do, want.to)
			}
		}
	}
}

// The first reason counts, and says more than that the process has exited.
func TestUpgradeReason(t *testing.T) {
	for _, tc := range []struct {
		name   string
		events func(*Upgrade)
		want   string
	}{
		{"exits", func(*Upgrade) {}, "exited"},
		{"fails, then the master stops", func(u *Upgrade) { u.Fail(errTest); u.Abandon(errStop) }, "test"},
		{"reports, then is late", func(u *Upgrade) { u.Receive(failedMsg); u.Fail(errTest) }, "why"},
		{"is stopped, and reports", func(u *Upgrade) { u.Abandon(errStop); u.Receive(failedMsg) }, "stopping"},
		{"speaks too old a version", func(u *Upgrade) { u.Receive(oldHello) }, "it speaks version 0, this master 1"},
	} {
		u := &Upgrade{state: Starting}
		tc.events(u)
		if err := u.End(errExited); err == nil || err.Error() != tc.want || u.State() != Ended {
			t.Errorf("%s: %v in state %d, want %s", tc.name, err, u.State(), tc.want)
		}
	}
	late := &Upgrade{state: Starting}
	late.Fail(errTest)
	if err := late.End(nil); err != nil || late.State() != Retired {
		t.Errorf("stopped when it had taken over: %v in state %d", err, late.State())
	}
}

// A process that has said that it exits gets longer before it is killed.
func TestMayKill(t *testing.T) {
	u := &Upgrade{state: Starting}
	u.Fail(errTest)
	if !u.MayKill(false) {
		t.Error("a process that doesn't answer to stop isn't killed")
	}
	u.Receive(failedMsg)
	if u.MayKill(false) || !u.MayKill(true) {
		t.Error("a process that is exiting is killed too early, or never")
	}
	u.End(errExited)
	if u.MayKill(true) {
		t.Error("a process that has exited is killed")
	}
}

// No worker id is used twice, whoever starts workers meanwhile.
func TestWorkerIDs(t *testing.T) {
	u := &Upgrade{}
	snapshot, own := u.Reserve(10)
	if snapshot != 10 || own != 1010 {
		t.Errorf("the new master counts on from %d, this one from %d; want 10 and 1010", snapshot, own)
	}
	if got := u.FinalID(own); got != 10 {
		t.Errorf("at go the new master counts on from %d, want 10", got)
	}
	if got := u.FinalID(own + 2); got != own+2 {
		t.Errorf("at go the new master counts on from %d, want %d: this one has started two", got, own+2)
	}
}

func TestLate(t *testing.T) {
	u := &Upgrade{}
	if u.Late(&Snapshot{Reload: true}) != nil {
		t.Error("there is something late before go")
	}
	u.state = Announcing
	u.Announced(&Snapshot{Workers: 2, LastID: 9})
	if s := u.Late(&Snapshot{Workers: 2, Scaled: true}); s != nil {
		t.Errorf("nothing was asked for, and %+v is late", s)
	}
	if s := u.Late(&Snapshot{Workers: 3, Reload: true}); s == nil || !s.Scaled || !s.Reload || s.LastID != 9 {
		t.Errorf("%+v is late, want 3 workers and a reload", s)
	}
}

func TestLimits(t *testing.T) {
	p := reload.Policy{ReadyTimeout: time.Minute, MinUptime: time.Second, Grace: 30 * time.Second, KillAfter: 5 * time.Second}
	if got := deadline(p); got != 121*time.Second {
		t.Errorf("the deadline is %v, want 121 s", got)
	}
	if unacked, last := killTimes(p, false); unacked != 5*time.Second || last != 42*time.Second {
		t.Errorf("kill after %v and %v, want 5 s and 42 s", unacked, last)
	}
	if unacked, last := killTimes(p, true); unacked != time.Second || last != time.Second {
		t.Errorf("at once: kill after %v and %v, want 1 s", unacked, last)
	}
	none := reload.Policy{ReadyTimeout: reload.NoLimit, MinUptime: -1, Grace: -1, KillAfter: -1}
	if got := deadline(none); got != 0 {
		t.Errorf("without a limit the deadline is %v", got)
	}
	if unacked, last := killTimes(none, false); unacked != 0 || last != 2*time.Second {
		t.Errorf("without limits kill after %v and %v, want 0 and 2 s", unacked, last)
	}
}

// What was drained, or taken back, since go is late, and so is a reload with other canaries than the one that waits.
func TestLateChanges(t *testing.T) {
	two, three := &reload.Trial{Canary: 2}, &reload.Trial{Canary: 3}
	for _, tc := range []struct {
		name         string
		went, now    Snapshot
		late, reload bool
	}{
		{"drained", Snapshot{}, Snapshot{Drained: true}, true, false},
		{"taken back", Snapshot{Drained: true}, Snapshot{}, true, false},
		{"still drained", Snapshot{Drained: true}, Snapshot{Drained: true}, false, false},
		{"canaries", Snapshot{Reload: true}, Snapshot{Reload: true, Trial: two}, true, true},
		{"other canaries", Snapshot{Reload: true, Trial: two}, Snapshot{Reload: true, Trial: three}, true, true},
		{"the same canaries", Snapshot{Reload: true, Trial: two}, Snapshot{Reload: true, Trial: &reload.Trial{Canary: 2}}, false, false},
		{"drained while a reload waits", Snapshot{Reload: true}, Snapshot{Reload: true, Drained: true}, true, false},
	} {
		u := &Upgrade{state: Announcing}
		u.Announced(&tc.went)
		s := u.Late(&tc.now)
		if (s != nil) != tc.late || s != nil && (s.Reload != tc.reload || s.Drained != tc.now.Drained || s.Trial != tc.now.Trial) {
			t.Errorf("%s: %+v is late", tc.name, s)
		}
	}
}
