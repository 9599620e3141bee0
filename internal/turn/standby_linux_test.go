//go:build linux

package turn

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// standing begins an Accept of a listener that stands by.
func standing(t *testing.T, l *Listener) <-chan error {
	t.Helper()
	l.StandBy(time.Hour)
	result := begin(l)
	for end := time.Now().Add(stuck); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		waits := l.standby.changed != nil
		l.mu.Unlock()
		if waits {
			return result
		}
		if time.Now().After(end) {
			t.Fatal("Accept doesn't wait")
		}
	}
}

// A process that stands by accepts nothing, whether its Accept begins before or then, until it no longer does.
func TestStandBy(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, before := range []bool{true, false} {
			l, p := listen(t, network)
			var result <-chan error
			if before {
				result = accept(t, l, p)
				l.StandBy(time.Hour)
			} else {
				result = standing(t, l)
			}
			if all := entries(t, l, p); len(all) != 0 {
				t.Errorf("%s: in the poller: %x", network, all)
			}
			dial(t, l)
			remains(t, network+": Accept, while it stands by,", result)
			l.StandBy(0)
			if err := ends(t, "Accept", result); err != nil {
				t.Error(network, err)
			}
		}
	}
}

// That ends after its time, if nobody has ended it.
func TestStandByEnds(t *testing.T) {
	l, p := listen(t, "tcp")
	result := accept(t, l, p)
	l.StandBy(20 * time.Millisecond)
	dial(t, l)
	if err := ends(t, "Accept", result); err != nil {
		t.Error(err)
	}
}

// A connection for which the kernel has woken this process and nobody else isn't left behind.
func TestStandByWithAConnection(t *testing.T) {
	l, p := listen(t, "tcp")
	o := wait(t, l) // whose wake-up stands for one that is lost
	result := accept(t, l, p)
	dial(t, l)
	if err := ends(t, "the other's turn", o.woken); err != nil {
		t.Fatal(err)
	}
	remains(t, "Accept", result)
	l.StandBy(time.Hour)
	if err := ends(t, "Accept", result); err != nil {
		t.Error(err)
	}
}

// Of several Accepts that wait one has its turn first if a connection is there, and no other.
func TestStandByWithSeveralAccepts(t *testing.T) {
	l, p := listen(t, "tcp")
	o := wait(t, l)
	first, second := accept(t, l, p), accept(t, l, p)
	for end := time.Now().Add(stuck); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		n := l.waiting
		l.mu.Unlock()
		if n == 2 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("they don't wait")
		}
	}
	both := make(chan error, 2)
	go func() { both <- <-first }()
	go func() { both <- <-second }()
	dial(t, l)
	if err := ends(t, "the other's turn", o.woken); err != nil {
		t.Fatal(err)
	}
	l.StandBy(time.Hour)
	if err := ends(t, "one Accept", both); err != nil {
		t.Error(err)
	}
	if all := entries(t, l, p); len(all) != 0 {
		t.Errorf("the other is in the poller: %x", all)
	}
	l.StandBy(0)
	dial(t, l)
	if err := ends(t, "the other", both); err != nil {
		t.Error(err)
	}
}

// A deadline and Close end an Accept that stands by, as package net's.
func TestStandByFails(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(l *Listener)
		want error
	}{
		"a deadline":                   {func(l *Listener) { _ = l.SetDeadline(time.Now().Add(20 * time.Millisecond)) }, os.ErrDeadlineExceeded},
		"a deadline that has passed":   {func(l *Listener) { _ = l.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"Close":                        {func(l *Listener) { _ = l.Close() }, net.ErrClosed},
		"package net's Close, and end": {func(l *Listener) { _ = l.netListener.Close(); l.StandBy(0) }, net.ErrClosed},
	} {
		l, _ := listen(t, "tcp")
		result := standing(t, l)
		dial(t, l)
		remains(t, name, result)
		tt.end(l)
		if err := ends(t, name, result); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// A listener whose deadline is far waits for its turn until then, and accepts when that comes.
func TestStandByWithADeadline(t *testing.T) {
	l, _ := listen(t, "tcp")
	_ = l.SetDeadline(time.Now().Add(time.Hour))
	result := standing(t, l)
	dial(t, l)
	_ = l.SetDeadline(time.Time{})
	remains(t, "Accept", result)
	l.StandBy(0)
	if err := ends(t, "Accept", result); err != nil {
		t.Error(err)
	}
}
