//go:build linux

package sockets

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/spread"
)

// turns returns whether the holders of the only socket of r accept from it in turn.
func (r *rota) turns() (all bool) {
	r.on(func() {
		for _, e := range r.s.byID {
			all = r.s.acceptsInTurn(e)
		}
	})
	return all
}

// Holders accept in turn from one queue, if there are several.
func TestWhoAcceptsInTurn(t *testing.T) {
	for _, tt := range []struct {
		slots, spread int
		want          bool
	}{
		{1, bind.Auto, false}, {2, bind.Auto, true}, {8, bind.Shared, true}, {2, bind.Slots, false}, {1, bind.Slots, false},
	} {
		r := newRota(t, tt.slots)
		r.listen("127.0.0.1:0", tt.spread, 0, 0)
		if got := r.turns(); got != tt.want {
			t.Errorf("%d slots, spread %d: %v, want %v", tt.slots, tt.spread, got, tt.want)
		}
	}
	r := newRota(t, 2)
	r.listen("127.0.0.1:0", bind.Shared, 0, 1)
	r.on(func() { r.s.Resize(1) })
	if !r.turns() {
		t.Error("the queue isn't looked after while those that accept from it in turn may still be there")
	}
}

// A connection that nobody accepts, although the kernel has woken one of the holders, is shown to the
// others in turn, also when nobody has come for a long time before.
func TestHoldersAreWokenInTurn(t *testing.T) {
	r := newRota(t, 4)
	addr := r.listen("127.0.0.1:0", bind.Shared, 0, 3)
	r.mu.Lock()
	r.stopped[1], r.stopped[2], r.stopped[4] = true, true, true
	r.mu.Unlock()
	for round := range 2 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		for r.total() == round { // nobody looks without being asked
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("round %d: nobody was asked who accepts", round)
			}
			time.Sleep(time.Millisecond)
		}
		if round == 0 {
			time.Sleep(spread.RestAfter + 100*time.Millisecond) // until nobody looks any more
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accepted[3] != 2 || r.asked[1] > 1 || r.asked[2] > 1 || r.asked[4] > 1 {
		t.Errorf("accepted %v, asked %v: want 2 by holder 3, and the others asked once, who do not answer", r.accepted, r.asked)
	}
}

// Nobody looks for connections to a socket before a holder accepts from it: an ask is not held up by that.
func TestSentryComesWithTheFirstAccept(t *testing.T) {
	d := newTestServer(t)
	d.Open = Open
	d.Resize(2)
	s := d.askIn(1, bind.Request{Network: "tcp", Address: "127.0.0.1:0"})
	e := d.byID[s.ID]
	if isPolled(t, e.fd.Int()) || !e.inTurn {
		t.Errorf("looked after: %v, in turn: %v, want not yet, and true", isPolled(t, e.fd.Int()), e.inTurn)
	}
	d.AcceptsOn(1, s.ID, "", Terms{})
	if !isPolled(t, e.fd.Int()) {
		t.Error("nobody looks after it at the first accept")
	}
	d.patrol.Close()
}

// Every holder is told the kernel's number of its socket, also those of a successor.
func TestNumberOfASocket(t *testing.T) {
	d := newTestServer(t)
	d.Open = Open
	d.askIn(1, bind.Request{Network: "tcp", Address: "127.0.0.1:0"})
	e := d.byID[1]
	want, err := descriptor.Cookie(e.fd.Int())
	if err != nil || want == 0 {
		t.Fatal(want, err)
	}
	fd, err := e.fd.Dup()
	if err != nil {
		t.Fatal(err)
	}
	next := newTestServer(t)
	if err := next.Restore(payload(e.snapshot()), []*descriptor.FD{fd}, false); err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string]*Table{"the master": d.Table, "its successor": next.Table} {
		if s := table.of(table.byID[1], table.holder(2)); s.Cookie != want {
			t.Errorf("%s says %d, want %d", name, s.Cookie, want)
		}
	}
}

// A queue that is opened for one more slot is looked after before that slot's holder accepts: the others can help.
func TestSentryWatchesANewQueue(t *testing.T) {
	d := newTestServer(t)
	d.Open = Open
	d.Resize(2)
	r := bind.Request{Network: "tcp", Address: "127.0.0.1:0", Options: bind.Options{Spread: bind.Slots}}
	s := d.askIn(1, r)
	d.AcceptsOn(1, s.ID, "", Terms{})
	d.Resize(3)
	d.Place(3, 2)
	d.askIn(3, r)
	for slot, fd := range d.byID[s.ID].all() {
		if !isPolled(t, fd.Int()) {
			t.Errorf("nobody looks after the queue of slot %d", slot)
		}
	}
	if n := len(d.byID[s.ID].all()); n != 3 {
		t.Errorf("%d queues, want 3", n)
	}
	d.patrol.Close()
}

// isPolled reports whether an epoll of this process has descriptor n.
func isPolled(t *testing.T, n int) bool {
	all, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil || len(all) == 0 {
		t.Skip("no /proc")
	}
	for _, name := range all {
		text, _ := os.ReadFile(name) // it may be closed by now
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == strconv.Itoa(n) {
				return true
			}
		}
	}
	return false
}
