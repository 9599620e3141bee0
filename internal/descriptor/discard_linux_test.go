//go:build linux

package descriptor

import (
	"testing"
	"time"
)

// awaitIdle waits until d has closed everything.
func awaitIdle(t *testing.T, d *Discarder) {
	t.Helper()
	busy := func() bool { d.mu.Lock(); defer d.mu.Unlock(); return d.running }
	for end := time.Now().Add(10 * time.Second); busy(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a descriptor is still open")
		}
	}
}

// A close that blocks holds up neither the one who discards, nor another Discarder. What
// comes after it waits, and Room waits with it until few wait, or the receiver is done.
func TestDiscard(t *testing.T) {
	noneLeft(t)
	slow, released := someFD(t, ""), make(chan struct{})
	d := Discarder{closing: func(fd *FD) {
		if fd == slow { // a signal would end a real close(2) that blocks early
			<-released
		}
	}}
	var other Discarder
	begin := time.Now()
	d.Discard([]*FD{slow})
	d.Discard(nil)
	var rest []*FD
	for range MaxDiscarded + 1 {
		rest = append(rest, someFD(t, ""))
	}
	d.Discard(rest)
	quick := someFD(t, "")
	other.Discard([]*FD{quick})
	awaitIdle(t, &other)
	other.Room(nil)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Discard has blocked for %v", took)
	}
	done, ended := make(chan struct{}), make(chan struct{}, 2)
	go func() { d.Room(done); ended <- struct{}{} }()
	select {
	case <-ended:
		t.Fatal("Room doesn't wait")
	case <-time.After(10 * time.Millisecond):
	}
	close(done)
	<-ended
	go func() { d.Room(nil); ended <- struct{}{} }()
	close(released)
	<-ended
	awaitIdle(t, &d)
	d.Discard([]*FD{someFD(t, "")}) // again
	awaitIdle(t, &d)
	for i, fd := range append(rest, slow, quick) {
		if fd.Int() >= 0 {
			t.Errorf("descriptor %d is open", i)
		}
	}
}

// A nil Discarder closes at once.
func TestNilDiscarder(t *testing.T) {
	var d *Discarder
	fd := someFD(t, "")
	d.Discard([]*FD{fd})
	if fd.Int() >= 0 {
		t.Error("the descriptor is open")
	}
}

// A descriptor whose close doesn't block is closed at once, and not after those that wait.
func TestDiscardQuick(t *testing.T) {
	noneLeft(t)
	slow, released := someFD(t, ""), make(chan struct{})
	d := Discarder{closing: func(*FD) { <-released }}
	d.Discard([]*FD{slow})
	quick := someFD(t, "")
	quick.Quick()
	if d.Discard([]*FD{quick}); quick.Int() >= 0 {
		t.Error("it waits")
	}
	close(released)
	awaitIdle(t, &d)
}
