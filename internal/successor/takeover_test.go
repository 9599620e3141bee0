package successor

import (
	"slices"
	"testing"
)

// takeoverEvents are all events of a Takeover.
var takeoverEvents = map[string]func(*Takeover) Action{
	"state":       func(k *Takeover) Action { return k.Receive(stateMsg) },
	"empty state": func(k *Takeover) Action { return k.Receive(emptyState) },
	"pair":        func(k *Takeover) Action { return k.Receive(&Message{Kind: Pair}) },
	"socket":      func(k *Takeover) Action { return k.Receive(socketMsg) },
	"given":       func(k *Takeover) Action { return k.Receive(givenMsg) },
	"go":          func(k *Takeover) Action { return k.Receive(goMsg) },
	"want":        func(k *Takeover) Action { return k.Receive(&Message{Kind: Want}) },
	"late":        func(k *Takeover) Action { return k.Receive(lateMsg) },
	"signal":      func(k *Takeover) Action { return k.Receive(&Message{Kind: Signal, Signal: 10}) },
	"stop":        func(k *Takeover) Action { return k.Receive(stopMsg) },
	"fail stop":   func(k *Takeover) Action { return k.Receive(failStop) },
	"passed":      func(k *Takeover) Action { k.Passed(); return None },
	"lost":        func(k *Takeover) Action { return k.Lost() },
	"stopped":     func(k *Takeover) Action { k.Stopped(); return None },
	"took over":   func(k *Takeover) Action { k.TookOver(); return None },
}

// The table of Takeover, whole: what isn't here changes nothing.
func TestTakeoverTable(t *testing.T) {
	type edge struct {
		to TakeoverState
		do Action
	}
	table := map[TakeoverState]map[string]edge{
		Dialed: {
			"state": {Trial, Begin}, "socket": {Dialed, AdoptSocket}, "stop": {Dialed, Withdraw},
			"lost": {GivenUp, Abort}, "stopped": {GivenUp, None},
		},
		Trial: {
			"socket": {Trial, AdoptSocket}, "stop": {Trial, Withdraw},
			"passed": {Proven, None}, "stopped": {GivenUp, None},
		},
		Proven: {
			"socket": {Proven, AdoptSocket}, "stop": {Proven, Withdraw},
			"go": {Taking, TakeOver}, "lost": {Taking, TakeOver}, "stopped": {GivenUp, None},
		},
		Taking:  {"socket": {Taking, AdoptSocket}, "stop": {Taking, Withdraw}, "took over": {Owner, None}, "pair": {Taking, AdoptPair}},
		Owner:   {"socket": {Owner, AdoptSocket}, "stop": {Owner, StopPool}, "pair": {Owner, AdoptPair}},
		GivenUp: {"socket": {GivenUp, AdoptSocket}, "stop": {GivenUp, StopPool}},
	}
	for from := Dialed; from <= GivenUp; from++ {
		table[from]["given"], table[from]["signal"] = edge{from, AdoptGiven}, edge{from, PassOn}
		if from != Taking {
			table[from]["late"] = edge{from, CatchUp}
		}
		if from < Taking {
			table[from]["fail stop"] = edge{from, Withdraw}
		}
		if from < Owner {
			table[from]["want"] = edge{from, Lend}
		}
		for name, event := range takeoverEvents {
			want, ok := table[from][name]
			if !ok {
				want = edge{from, None}
			}
			k := &Takeover{state: from}
			if do := event(k); do != want.do || k.state != want.to {
				t.Errorf("%s in state %d: action %d, state %d; want %d, %d", name, from, do, k.state, want.do, want.to)
			}
		}
	}
}

// "go" and the old master's death count also if they come before the workers are ready.
func TestEarlyRelease(t *testing.T) {
	for name, event := range map[string]func(*Takeover) Action{"go": takeoverEvents["go"], "death": takeoverEvents["lost"]} {
		k := &Takeover{state: Trial}
		if do := event(k); do != None {
			t.Errorf("%s on trial: action %d", name, do)
		}
		if k.Next() != None {
			t.Errorf("%s on trial: it takes over unproven", name)
		}
		if !k.Passed() || k.Passed() {
			t.Errorf("%s: the trial isn't passed once", name)
		}
		if k.Next() != TakeOver || k.Next() != None || k.OnTrial() {
			t.Errorf("%s: it doesn't take over once", name)
		}
	}
}

// What is left to the new master is the snapshot of "go", and then what comes while it takes over.
func TestLeft(t *testing.T) {
	k := &Takeover{}
	k.Receive(stateMsg)
	if len(k.Left()) > 0 {
		t.Error("something is left before go")
	}
	k.Passed()
	k.Receive(goMsg)
	k.Receive(lateMsg)
	if got := k.Left(); !slices.Equal(got, []*Snapshot{goMsg.State, lateMsg.State}) {
		t.Errorf("%+v is left", got)
	}
}
