package status

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

func sample() Status {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	return Status{
		Time: at, PID: 1, Phase: "serving", Generation: 2, Want: 2,
		Workers: []Worker{
			{ID: 3, Slot: 0, Generation: 1, State: Draining, Started: at, Ready: at, Draining: at},
			{ID: 4, Slot: 0, Generation: 2, State: Listening, Started: at, Ready: at},
			{ID: 9, Slot: 2, Generation: 2, State: Starting, Started: at, Forked: true},
		},
		Backoffs: []Backoff{{Slot: 1, Generation: 2, Crashes: 3, Until: at}},
		Releases: []Release{{Generation: 2, Path: "/srv/app", Revision: "0123456789abcdef"}},
		Sockets:  []Socket{{Network: "tcp", Address: "[::]:80", Workers: 2, Queue: 1, Limit: 128}},
		Reload:   &Change{Kind: Reload, Began: at, Took: time.Second, Err: "died", Stderr: "no database\n"},
		History:  []Change{{Kind: Crash, Began: at, Err: "exit status 2"}},
	}
}

// A Status survives JSON, as the control socket sends it.
func TestJSON(t *testing.T) {
	b, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got Status
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Equal(sample()) || *got.Reload != *sample().Reload {
		t.Errorf("%+v", got)
	}
	var s State
	if err := s.UnmarshalText([]byte("asleep")); err == nil {
		t.Error("a state that does not exist is read")
	}
}

// Equal leaves out the time and the queues, and nothing else.
func TestEqual(t *testing.T) {
	same := sample()
	same.Time = same.Time.Add(time.Hour)
	same.Sockets[0].Queue = 17
	if !same.Equal(sample()) {
		t.Error("the time or a queue is a change")
	}
	for name, change := range map[string]func(*Status){
		"paused":  func(s *Status) { s.Paused = s.Time },
		"phase":   func(s *Status) { s.Phase = "stopping" },
		"worker":  func(s *Status) { s.Workers[1].State = Draining },
		"backoff": func(s *Status) { s.Backoffs[0].Crashes++ },
		"socket":  func(s *Status) { s.Sockets[0].Workers = 1 },
		"history": func(s *Status) { s.History[0].Worker = 5 },
		"release": func(s *Status) { s.Releases[0].Modified = true },
	} {
		s := sample()
		if change(&s); s.Equal(sample()) {
			t.Errorf("%s: no change", name)
		}
	}
}

func TestSlots(t *testing.T) {
	s := sample()
	slots := s.Slots()
	if len(slots) != 2 || len(slots[0]) != 2 || len(slots[1]) != 0 {
		t.Errorf("%+v", slots)
	}
	if slots[0][0].IsServing() || !slots[0][1].IsServing() {
		t.Error("the worker that serves is the second")
	}
	if r := s.Release(2).String(); r != "/srv/app 0123456789ab" || s.Release(1) != (Release{}) {
		t.Errorf("release %q", r)
	}
	if got := Caller(By(context.Background(), "me")); got != "me" || Caller(context.Background()) != "" {
		t.Errorf("caller %q", got)
	}
}
