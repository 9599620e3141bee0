package top

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/rota-go/rota/status"
)

var began = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// sample is the status of a master with n workers, of which each has accepted so many connections.
func sample(after time.Duration, n int, accepted int64) status.Status {
	s := status.Status{Time: began.Add(after), PID: 7, Phase: "serving", Generation: 3, Want: n, Sockets: []status.Socket{
		{Network: "tcp", Address: "[::]:80", Workers: n, Queue: 5, Limit: 128}, {Network: "unix", Address: "/run/\x1b]0;x\a", Workers: n},
	}}
	for i := range n {
		s.Workers = append(s.Workers, status.Worker{
			ID: 100 + i, Slot: i, Generation: 3, PID: 4000 + i, State: status.Listening, Started: began, Ready: began,
			Counters: status.Counters{Accepted: accepted, Requests: 3 * accepted},
		})
	}
	return s
}

func update(m model, all ...tea.Msg) model {
	for _, msg := range all {
		next, _ := m.Update(msg)
		m = next.(model)
	}
	return m
}

// What is printed has every worker and socket, and nothing that a terminal obeys.
func TestPrint(t *testing.T) {
	s := sample(90*time.Second, 3, 17)
	s.Next, s.Workers[1].State, s.Workers[1].Draining, s.Workers[2].Crashes = 4, status.Draining, began, 2
	s.Paused = s.Time.Add(-65 * time.Second)
	s.Workers[0].Fault, s.Workers[0].Counters.Errors = "no\x1b[2Jdatabase", 4321
	s.Tallies = []status.Tally{{Kind: status.Restart, Slot: 1, Times: 3000}, {Kind: status.Crash, Slot: 1, Times: 77}, {Kind: status.Reload, Times: 5}}
	s.Backoffs = []status.Backoff{{Slot: 9, Generation: 3, Crashes: 12, Until: s.Time.Add(7 * time.Second)}}
	s.Reload = &status.Change{Kind: status.Reload, Err: "died:\nexit status 3"}
	var b bytes.Buffer
	Print(&b, s)
	for _, want := range []string{
		"backs off", "in 7s", "12",
		"worker 100, slot 0: no", "database", "4321", "3077",
		"master 7: serving, generation 3, rolling out 4, paused for 1m05s, 2 of 3 slots served", "4002", "102", "1m30s", "draining", "17",
		"tcp [::]:80", "5 of 128", "the last reload has failed: died: exit status 3",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	if strings.ContainsAny(b.String(), "\x1b\a\r") {
		t.Errorf("a terminal obeys\n%q", b.String())
	}
}

// The newest status is shown, whichever way it has come, and time passes between two.
func TestNewestWins(t *testing.T) {
	m := newModel(sample(0, 2, 10), began)
	m = update(m, known{sample(2*time.Second, 2, 30), began}, known{sample(time.Second, 2, 20), began})
	if got := m.status.Workers[0].Counters.Accepted; got != 30 || m.rates[100] != (rate{10, 30}) {
		t.Errorf("accepted %d, %v a second, want 30 and 10, and 30 requests", got, m.rates[100])
	}
	m = update(m, known{sample(2*time.Second+pause/2, 2, 31), began}) // too soon for a rate
	if m.rates[100] != (rate{10, 30}) || m.status.Workers[0].Counters.Accepted != 31 {
		t.Errorf("%v a second, want the last rate", m.rates[100])
	}
	if m = update(m, tick(began.Add(5*time.Second))); !m.now.Equal(m.status.Time.Add(5 * time.Second)) {
		t.Errorf("it is %v", m.now)
	}
	m = update(m, lost{errors.New("gone")})
	if text := frame(m.screen); !strings.Contains(text, "lost: gone") {
		t.Errorf("the master is lost:\n%s", text)
	}
	next := sample(0, 2, 0) // of a successor, whose clock may be another
	next.PID = 8
	if m = update(m, known{next, began}); m.status.PID != 8 || m.lost != nil || len(m.rates) != 0 {
		t.Errorf("after an upgrade: %+v", m.screen)
	}
}

// A frame fits the terminal, whatever its size, and every line can be scrolled to.
func TestFits(t *testing.T) {
	m := newModel(sample(time.Second, 50, 1), began)
	for _, size := range [][2]int{{200, 100}, {80, 24}, {20, 5}, {3, 2}, {1, 1}} {
		m := update(m, tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for range 100 {
			text := m.View().Content
			if w, h := lipgloss.Size(text); w > size[0] || h > size[1] {
				t.Fatalf("%v: the frame has %d x %d", size, w, h)
			}
			m = update(m, tea.KeyPressMsg{Code: tea.KeyDown})
		}
	}
	m = update(m, tea.WindowSizeMsg{Width: 100, Height: 10}, tea.KeyPressMsg{Code: tea.KeyEnd})
	if text := m.View().Content; !strings.Contains(text, "5 of 128") || strings.Contains(text, "master 7") {
		t.Errorf("the end:\n%s", text)
	}
	m = update(m, tea.WindowSizeMsg{Width: 100, Height: 100}) // more room: from the first line again
	if text := m.View().Content; !strings.Contains(text, "master 7") || !strings.Contains(text, "4049") {
		t.Errorf("all of it:\n%s", text)
	}
	seen := map[int]bool{}
	m = update(m, tea.WindowSizeMsg{Width: 100, Height: 10})
	for range 20 {
		for i := range 50 {
			seen[i] = seen[i] || strings.Contains(m.View().Content, fmt.Sprint(4000+i))
		}
		m = update(m, tea.KeyPressMsg{Code: tea.KeyPgDown})
	}
	for i := range 50 {
		if !seen[i] {
			t.Errorf("worker %d was never shown", i)
		}
	}
}

func TestQuits(t *testing.T) {
	for key, quits := range map[rune]bool{'q': true, tea.KeyEscape: true, 'x': false, tea.KeyDown: false} {
		_, cmd := newModel(sample(0, 1, 0), began).Update(tea.KeyPressMsg{Code: key})
		if got := cmd != nil; got != quits {
			t.Errorf("%q: quits %v", key, got)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 3*time.Hour + 5*time.Minute: "3h05m", 50 * time.Hour: "2d02h",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
