package sockets

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

var fakes atomic.Int64

// fakeFD returns an FD whose number is larger than that of any real descriptor: its
// Close closes nothing. Int tells whether it was closed.
func fakeFD() *descriptor.FD { return descriptor.New(1<<30 + int(fakes.Add(1))) }

func opened(port int) Opened {
	return Opened{FD: fakeFD(), Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}}
}

// script runs a table step by step.
type script struct {
	t     *testing.T
	table *Table
	now   time.Time
	call  uint32
	fds   map[int]*descriptor.FD // of every socket that was ever answered, by id
}

func newScript(t *testing.T) *script {
	return &script{t: t, table: New(2), now: time.Unix(1, 0), fds: map[int]*descriptor.FD{}}
}

func (s *script) ask(holder int, address string) ([]Answer, *Bind) {
	s.call++
	return s.table.Ask(Caller{holder, s.call}, bind.Request{Network: "tcp", Address: address}, nil)
}

// bound completes a bind with a socket on port, or with err.
func (s *script) bound(b *Bind, port int, err error) ([]Answer, *Bind) {
	if err != nil {
		return s.table.Bound(b, Opened{}, err, s.now)
	}
	answers, again := s.table.Bound(b, opened(port), nil, s.now)
	for _, a := range answers {
		if a.Socket != nil {
			s.fds[a.Socket.ID] = a.Socket.FD
		}
	}
	return answers, again
}

// open asks for a socket that is not open, binds it and returns its id.
func (s *script) open(holder int, address string, port int) int {
	s.t.Helper()
	answers, b := s.ask(holder, address)
	if len(answers) > 0 || b == nil {
		s.t.Fatalf("%s: answers %v, bind %v, want a bind", address, answers, b)
	}
	answers, _ = s.bound(b, port, nil)
	if len(answers) != 1 || answers[0].Socket == nil {
		s.t.Fatalf("%s: answers %v, want a socket", address, answers)
	}
	return answers[0].Socket.ID
}

func (s *script) elapse(d time.Duration) {
	s.now = s.now.Add(d)
	s.table.CloseExpired(s.now)
}

func (s *script) wantOpen(id int, want bool) {
	s.t.Helper()
	_, inTable := s.table.Name(id)
	if open := s.fds[id].Int() >= 0; open != want || inTable != want {
		s.t.Errorf("socket %d: open %v, in the table %v, want %v", id, open, inTable, want)
	}
}

// outcomes describes answers: of each the holder, and what it gets.
func outcomes(answers []Answer) string {
	var all []string
	for _, a := range answers {
		got := "duplicate"
		switch {
		case a.Socket != nil:
			got = fmt.Sprint("socket ", a.Socket.ID)
		case a.Err != nil:
			got = a.Err.Error()
		}
		all = append(all, fmt.Sprintf("%d: %s", a.Holder, got))
	}
	return strings.Join(all, ", ")
}

func (s *script) want(answers []Answer, want string) {
	s.t.Helper()
	if got := outcomes(answers); got != want {
		s.t.Errorf("answers %q, want %q", got, want)
	}
}

// All calls that wait for a bind get its result.
func TestBindAnswersAllThatWait(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, "1: socket 1, 2: socket 1, 1: duplicate"},
		{syscall.EACCES, "1: permission denied, 2: permission denied, 1: permission denied"},
	} {
		s := newScript(t)
		_, b := s.ask(1, ":80")
		for _, holder := range []int{2, 1} {
			if answers, again := s.ask(holder, ":80"); len(answers) > 0 || again != nil {
				t.Errorf("holder %d: answers %v, bind %v, want to wait", holder, answers, again)
			}
		}
		answers, _ := s.bound(b, 80, tc.err)
		s.want(answers, tc.want)
		_, b = s.ask(3, ":80")
		if failed := b != nil; failed != (tc.err != nil) {
			t.Errorf("bind failed with %v: the next request binds again: %v", tc.err, failed)
		}
	}
}

// The call with which a holder asks for a socket that it holds is refused.
func TestDuplicateIsRefused(t *testing.T) {
	s := newScript(t)
	id := s.open(1, ":80", 80)
	answers, _ := s.ask(1, ":80")
	s.want(answers, "1: duplicate")
	if !answers[0].Request.Duplicate {
		t.Error("its request is not marked as a duplicate")
	}
	s.table.Closed(1, id, s.now)
	answers, _ = s.ask(1, ":80")
	s.want(answers, "1: socket 1")
}

// A socket is closed Linger after its last holder has closed it.
func TestLinger(t *testing.T) {
	s := newScript(t)
	id := s.open(1, ":80", 80)
	s.ask(2, ":80")
	s.table.Closed(1, id, s.now)
	if next := s.table.NextExpiry(); !next.IsZero() {
		t.Errorf("a holder is left, and it expires at %v", next)
	}
	s.table.Closed(2, id, s.now)
	if next := s.table.NextExpiry(); !next.Equal(s.now.Add(Linger)) {
		t.Errorf("it expires at %v, want %v", next, s.now.Add(Linger))
	}
	s.elapse(Linger - 1)
	s.wantOpen(id, true)
	s.elapse(1)
	s.wantOpen(id, false)
}

// A socket that lingers stays open if it is asked for again, and if a holder that has
// asked for it is gone.
func TestLingerIsCancelled(t *testing.T) {
	for name, cancel := range map[string]func(s *script){
		"asked":    func(s *script) { s.ask(2, ":80") },
		"released": func(s *script) { s.table.Release(1) },
	} {
		s := newScript(t)
		id := s.open(1, ":80", 80)
		s.table.Closed(1, id, s.now)
		cancel(s)
		if next := s.table.NextExpiry(); !next.IsZero() {
			t.Errorf("%s: it expires at %v", name, next)
		}
		s.elapse(2 * Linger)
		s.wantOpen(id, true)
	}
}

// A socket that is closed a second time lingers for the whole of Linger again.
func TestLingerBeginsAnew(t *testing.T) {
	s := newScript(t)
	id := s.open(1, ":80", 80)
	s.table.Closed(1, id, s.now)
	s.elapse(Linger / 2)
	s.ask(1, ":80")
	s.table.Closed(1, id, s.now)
	s.elapse(Linger / 2)
	s.wantOpen(id, true)
	s.elapse(Linger / 2)
	s.wantOpen(id, false)
}

// A bind that fails because a lingering socket has its port is tried again without that.
func TestLingeringSocketIsClosedForBind(t *testing.T) {
	s := newScript(t)
	held, lingers := s.open(1, ":81", 81), s.open(1, ":80", 80)
	s.table.Closed(1, lingers, s.now)
	_, b := s.ask(2, "localhost:80")
	answers, again := s.bound(b, 0, syscall.EADDRINUSE)
	if len(answers) > 0 || again == nil {
		t.Fatalf("answers %v, bind %v, want another bind", answers, again)
	}
	s.wantOpen(lingers, false)
	s.wantOpen(held, true)
	answers, again = s.bound(again, 0, syscall.EADDRINUSE)
	s.want(answers, "2: address already in use")
	if again != nil {
		t.Error("nothing lingers, and it is tried a third time")
	}
}

// CloseUnused closes the sockets that nobody has asked for of those that serve.
func TestCloseUnused(t *testing.T) {
	s := newScript(t)
	old, shared := s.open(1, ":80", 80), s.open(1, ":81", 81)
	s.ask(2, ":81")
	_, b := s.ask(1, ":82") // under way
	closed := s.table.CloseUnused(func(id int) bool { return id == 2 })
	if len(closed) != 1 || closed[0].ID != old {
		t.Errorf("closed %v, want socket %d", closed, old)
	}
	s.wantOpen(old, false)
	s.wantOpen(shared, true)
	answers, _ := s.bound(b, 82, nil)
	s.want(answers, "1: socket 3")
}

// An answer that could not be delivered leaves the socket to nobody.
func TestWithdraw(t *testing.T) {
	s := newScript(t)
	_, b := s.ask(1, ":80")
	answers, _ := s.bound(b, 80, nil)
	s.table.Withdraw(answers[0], s.now)
	s.elapse(Linger)
	s.wantOpen(answers[0].Socket.ID, false)
}

// A holder can't close a socket for which it still waits: it doesn't know the id. One that
// guesses the id changes nothing.
func TestClosedBeforeBound(t *testing.T) {
	s := newScript(t)
	_, b := s.ask(1, ":80")
	s.table.Closed(1, 1, s.now)
	s.elapse(2 * Linger)
	answers, _ := s.bound(b, 80, nil)
	s.want(answers, "1: socket 1")
	s.wantOpen(1, true)
}

// For port 0, a holder gets the socket with the lowest index that it doesn't hold.
func TestPortZeroIndex(t *testing.T) {
	s := newScript(t)
	for port := 1; port <= 4; port++ {
		s.open(1, ":0", port)
	}
	for _, id := range []int{3, 2, 4} {
		s.table.Closed(1, id, s.now)
	}
	for _, want := range []string{"1: socket 2", "1: socket 3", "1: socket 4"} {
		answers, _ := s.ask(1, ":0")
		s.want(answers, want)
	}
	s.table.Closed(1, 1, s.now)
	answers, _ := s.ask(1, ":0")
	s.want(answers, "1: socket 1")
}

// Run tries the port that port 0 had before, and then any.
func TestBindPrefersThePortItHad(t *testing.T) {
	s := newScript(t)
	s.table.Closed(1, s.open(1, ":0", 4001), s.now)
	s.elapse(Linger)
	_, b := s.ask(1, ":0")
	var tried []string
	_, err := b.Run(t.Context(), func(_ context.Context, r Request) (Opened, error) {
		tried = append(tried, r.Address)
		return Opened{}, syscall.EADDRINUSE
	})
	if got := strings.Join(tried, " "); got != ":4001 :0" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("tried %s: %v, want :4001 and then :0", got, err)
	}
}

// A holder that has many sockets costs no more per request than one with few.
func BenchmarkPortZero(b *testing.B) {
	for _, n := range []int{10, MaxHeld} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table := New(2)
			r := bind.Request{Network: "tcp", Address: "127.0.0.1:0"}
			id := 0
			for i := range n {
				_, pending := table.Ask(Caller{1, 1}, r, nil)
				answers, _ := table.Bound(pending, opened(i+1), nil, time.Time{})
				id = answers[0].Socket.ID
			}
			for b.Loop() {
				table.Closed(1, id, time.Time{})
				table.Ask(Caller{1, 1}, r, nil)
			}
		})
	}
}
