package history

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// A ring keeps the last values, the oldest first.
func TestRing(t *testing.T) {
	r := NewRing[int](3)
	for n, want := range [][]int{{1}, {1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {4, 5, 6}, {5, 6, 7}} {
		r.Add(n + 1)
		if got := r.All(); !slices.Equal(got, want) {
			t.Errorf("after %d values: %v, want %v", n+1, got, want)
		}
	}
	r.All()[0] = 17
	if got := r.All(); got[0] != 5 {
		t.Error("All returns the ring's own values")
	}
	var none Ring[int]
	none.Add(1)
	if len(none.All()) != 0 {
		t.Error("a ring without room holds a value")
	}
}

var start = time.Unix(1000, 0)

// All who ask for a change before it begins are its callers, and nobody who asks later.
func TestCallers(t *testing.T) {
	b := New()
	b.Ask(status.Reload, "signal HUP")
	b.Ask(status.Reload, "uid 0 pid 1")
	b.Ask(status.Reload, "signal HUP")
	b.Ask(status.Reload, "")
	b.Begin(status.Reload, start, status.Change{Generation: 2})
	b.Rolling(status.Release{Path: "/a", Revision: "0123456789abcdef", Modified: true})
	b.Ask(status.Reload, "uid 5 pid 6")
	if by := b.By(status.Reload); by != "signal HUP, uid 0 pid 1" || b.By(status.Upgrade) != "" {
		t.Errorf("by %q", by)
	}
	b.End(status.Reload, start.Add(time.Second), 0, nil)
	b.Begin(status.Reload, start, status.Change{Generation: 3})
	b.End(status.Reload, start, 0, &reload.Error{Generation: 3, Err: errors.New("died"), Stderr: "no database\n"})
	b.End(status.Reload, start, 0, nil) // has not begun
	want := []status.Change{
		{Kind: status.Reload, Began: start, Took: time.Second, By: "signal HUP, uid 0 pid 1", Generation: 2, Release: "/a 0123456789ab+"},
		{Kind: status.Reload, Began: start, By: "uid 5 pid 6", Generation: 3,
			Err: "reload: no worker of generation 3: died", Stderr: "no database\n"},
	}
	if got := b.All(); !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if r := b.Reload(); r == nil || r.Generation != 3 || !r.Failed() {
		t.Errorf("the last reload is %+v", r)
	}
}

// The end of a worker is a change if nobody has asked for it. Its time is when it has crashed, after as long as it has run.
func TestEnded(t *testing.T) {
	b := New()
	b.Ended(&reload.Member{ID: 1, Started: start, Voluntary: true}, start, 5, "exit status 0", "")
	b.Ended(&reload.Member{ID: 2, Slot: 1, Generation: 3, Started: start}, start.Add(time.Second), 6, "exit status 2", "panic")
	want := []status.Change{{
		Kind: status.Crash, Began: start.Add(time.Second), Took: time.Second, Generation: 3, Worker: 2, Slot: 1, PID: 6, Err: "exit status 2", Stderr: "panic",
	}}
	if got := b.All(); !slices.Equal(got, want) || got[0].Failed() {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// Whatever a worker writes, what is kept of it is bounded and has no control characters.
func TestBounds(t *testing.T) {
	b := New()
	long := strings.Repeat("line\x1b[2J\n", 2000)
	for range 2 * status.HistorySize {
		b.Ask(status.Reload, strings.Repeat("x", 1<<20))
		b.Begin(status.Reload, start, status.Change{})
		b.End(status.Reload, start, 0, &reload.Error{Err: errors.New(long), Stderr: long})
	}
	all := b.All()
	if len(all) != status.HistorySize {
		t.Errorf("%d changes, want %d", len(all), status.HistorySize)
	}
	for _, c := range append(all, *b.Reload()) {
		if n := len(c.Err) + len(c.Stderr) + len(c.By); n > 40<<10 || strings.ContainsRune(c.Err+c.Stderr, 0x1b) {
			t.Fatalf("a change of %d bytes: %.200q", n, c.Stderr)
		}
	}
	if c := all[0]; len(c.Stderr) > maxStderr || !strings.HasPrefix(c.Stderr, "line") {
		t.Errorf("the last lines have %d bytes and begin with %.20q", len(c.Stderr), c.Stderr)
	}
}

// A successor goes on with the history of its predecessor.
func TestRestore(t *testing.T) {
	old, b := New(), New()
	old.Add(status.Change{Kind: status.Scale, Workers: 3})
	old.Add(status.Change{Kind: status.Reload, Generation: 2})
	b.Restore(old.All())
	if !slices.Equal(b.All(), old.All()) || b.Reload().Generation != 2 {
		t.Errorf("%+v", b.All())
	}
}

// A history that comes again adds what is newer, also where the ring has lost the oldest.
func TestRestoreAgain(t *testing.T) {
	change := func(n int) status.Change {
		return status.Change{Kind: status.Crash, Began: start.Add(time.Duration(n)), Worker: n}
	}
	before, b := New(), New()
	for n := range status.HistorySize {
		before.Add(change(n))
	}
	b.Restore(before.All())
	b.Scaled(3, start.Add(time.Hour), "this master")
	before.Add(change(status.HistorySize))
	for range 2 {
		b.Restore(before.All())
	}
	got := b.All()
	if n := len(got); got[n-3].Worker != status.HistorySize-1 || got[n-2].Workers != 3 || got[n-1].Worker != status.HistorySize || got[0].Worker != 2 {
		t.Errorf("%+v", got)
	}
}

// Who asks for an upgrade that has begun has asked for that one, and not for the next.
func TestCallersOfAnUpgrade(t *testing.T) {
	b := New()
	start := time.Unix(1, 0)
	b.Ask(status.Upgrade, "a")
	b.Begin(status.Upgrade, start, status.Change{})
	b.Ask(status.Upgrade, "b")
	b.End(status.Upgrade, start, 0, errors.New("died"))
	b.Ask(status.Upgrade, "c")
	b.End(status.Upgrade, start, 0, errors.New("stopping")) // before it has begun
	b.Ask(status.Upgrade, "d")
	b.Begin(status.Upgrade, start, status.Change{})
	b.End(status.Upgrade, start, 0, nil)
	if all := b.All(); len(all) != 2 || all[0].By != "a, b" || all[1].By != "d" {
		t.Errorf("%+v", all)
	}
}
