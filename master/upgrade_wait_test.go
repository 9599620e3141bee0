//go:build linux

package master

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// predecessorStays makes m one whose own predecessor is there until release is closed.
func predecessorStays(m *Master) (release chan struct{}) {
	release = make(chan struct{})
	_ = m.loop.Ask(func(l *loop) error {
		l.sys.masters.AwaitParent = func(ctx context.Context) {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return nil
	})
	return release
}

// An upgrade that waits for the master before this one to leave keeps no reload from
// being done, and comes to its turn.
func TestReloadWhileAnUpgradeWaits(t *testing.T) {
	m, _, result := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error { return l.Close() })
	release := predecessorStays(m)
	upgraded := make(chan error, 1)
	go func() { upgraded <- m.Upgrade(t.Context()) }()
	for asked := false; !asked; {
		_ = m.loop.Ask(func(l *loop) error { asked = l.upgrade != nil; return nil })
	}
	for range 2 {
		reloaded := make(chan error, 1)
		go func() { reloaded <- m.Reload(t.Context()) }()
		if err := await(t, reloaded); err != nil {
			t.Errorf("Reload: %v", err)
		}
	}
	close(release)
	if err := await(t, upgraded); err != nil {
		t.Errorf("Upgrade: %v", err)
	}
	if err := await(t, result); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// Close doesn't wait for it.
func TestCloseWhileAnUpgradeWaits(t *testing.T) {
	m, _, result := oldMaster(t, Config{MinUptime: -1}, nil)
	predecessorStays(m)
	upgraded := make(chan error, 1)
	go func() { upgraded <- m.Upgrade(t.Context()) }()
	for asked := false; !asked; {
		_ = m.loop.Ask(func(l *loop) error { asked = l.upgrade != nil; return nil })
	}
	closed := make(chan error, 1)
	go func() { closed <- m.Close() }()
	_ = await(t, closed)
	if err := await(t, upgraded); !errors.Is(err, ErrStopping) {
		t.Errorf("Upgrade: %v, want ErrStopping", err)
	}
	_ = await(t, result)
}

// A first start that fails ends an upgrade that was asked for, and the master.
func TestFirstStartFailsWithAnUpgradeAskedFor(t *testing.T) {
	asked := make(chan struct{})
	o := &fakeOS{script: func(p *fakeProc) { p.hello(); <-asked; p.die(Exit{Code: 3}) }}
	m := newMaster(Config{Logger: slog.New(slog.DiscardHandler)}, o.sys())
	defer m.Close()
	result := make(chan error, 1)
	go func() { result <- m.Run(context.Background()) }()
	upgraded := make(chan error, 1)
	for len(m.Workers()) == 0 {
		time.Sleep(time.Millisecond)
	}
	go func() { upgraded <- m.Upgrade(context.Background()) }()
	for waits := false; !waits; {
		_ = m.loop.Ask(func(l *loop) error { waits = l.upgrade != nil; return nil })
	}
	close(asked)
	var failed *StartError
	if err := await(t, result); !errors.As(err, &failed) {
		t.Errorf("Run: %v, want a *StartError", err)
	}
	if err := await(t, upgraded); !errors.Is(err, ErrStopping) {
		t.Errorf("Upgrade: %v, want ErrStopping", err)
	}
}

// takesOver is ready, closes gone at "go", and takes over when asked is closed. What is late comes from late.
func (l *otherMaster) takesOver(gone, asked chan struct{}, late chan<- successor.Message) {
	l.Send(&successor.Message{Kind: successor.Ready})
	l.until(successor.Go)
	close(gone)
	<-asked
	go func() { late <- l.until(successor.Late); _ = l.Close() }()
}

// What the old master is asked for when it has said "go" already, it passes on.
func TestAskedAfterGo(t *testing.T) {
	gone, asked := make(chan struct{}), make(chan struct{})
	late := make(chan successor.Message, 1)
	m, _, _ := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error {
		l.greets()
		l.takesOver(gone, asked, late)
		return nil
	})
	go func() { _ = m.Upgrade(context.Background()) }()
	<-gone
	if err := m.Scale(3); err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.ReloadCanary(context.Background(), 2, time.Minute) }()
	waitForReloads(t, m, 1)
	close(asked)
	n := await(t, late)
	if n.State == nil || !n.State.Reload || !n.State.Scaled || n.State.Workers != 3 || n.State.Trial == nil || *n.State.Trial != (reload.Trial{Canary: 2, Time: time.Minute}) {
		t.Errorf("it passed on %+v, want a reload with its canaries and 3 workers", n.State)
	}
}

// So does a drain, and a reload with canaries where one waits already.
func TestChangedAfterGo(t *testing.T) {
	begun, waits, gone, asked := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	late := make(chan successor.Message, 1)
	m, _, _ := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error {
		l.greets()
		l.until(successor.State)
		close(begun)
		<-waits
		l.takesOver(gone, asked, late)
		return nil
	})
	go func() { _ = m.Upgrade(context.Background()) }()
	await(t, begun)
	go func() { _ = m.Reload(context.Background()) }()
	waitForReloads(t, m, 1)
	close(waits)
	await(t, gone)
	if err := m.SetDrained(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.ReloadCanary(context.Background(), 2, time.Minute) }()
	waitForReloads(t, m, 2)
	close(asked)
	if n := await(t, late); n.State == nil || !n.State.Drained || !n.State.Reload || n.State.Trial == nil {
		t.Errorf("it passed on %+v, want a drain and a reload with canaries", n.State)
	}
}

// A signal for the workers reaches those of the new master too, once it has said hello.
func TestSignalDuringUpgrade(t *testing.T) {
	begun, waits := make(chan struct{}), make(chan struct{})
	got := make(chan successor.Message, 1)
	m, _, _ := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error {
		defer l.Close()
		l.greets()
		l.until(successor.State)
		close(begun)
		got <- l.until(successor.Signal)
		<-waits
		return errExited
	})
	defer close(waits)
	go func() { _ = m.Upgrade(context.Background()) }()
	await(t, begun)
	if err := m.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if n := await(t, got); n.Kind != successor.Signal || n.Signal != int(syscall.SIGHUP) {
		t.Errorf("the new master gets %+v", n)
	}
}

// A new master sends its workers the signals that the old one passes on.
func TestSignalFromTheOldMaster(t *testing.T) {
	m, old, o := newMasterWith(t, func() error { return nil })
	old.Send(&successor.Message{Kind: successor.State, State: &successor.Snapshot{Generation: 4}})
	old.until(successor.Ready)
	old.Send(&successor.Message{Kind: successor.Signal, Signal: int(syscall.SIGHUP)})
	waitUntil(t, "the signal", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return slices.Contains(o.procs[0].sigs, os.Signal(syscall.SIGHUP))
	})
	if len(m.Workers()) != 1 {
		t.Errorf("workers %v, want 1", ids(m))
	}
}

// newMasterOn follows a master that the test plays on the other end of the link.
func newMasterOn(t *testing.T, signalReady func() error) (*Master, *otherMaster) {
	t.Helper()
	m, old, _ := newMasterWith(t, signalReady)
	return m, old
}

func newMasterWith(t *testing.T, signalReady func() error) (*Master, *otherMaster, *fakeOS) {
	t.Helper()
	mine, end, err := link.Pair()
	if err != nil {
		t.Fatal(err)
	}
	old := otherEnd(t, end)
	o := &fakeOS{}
	s := o.sys()
	s.masters.Predecessor = func() (*successor.Link, bool, error) { return successor.NewLink(mine), true, nil }
	s.masters.Following = func() bool { return true }
	s.masters.SignalReady = signalReady
	m := newMaster(Config{MinUptime: -1, Logger: slog.New(slog.DiscardHandler)}, s)
	t.Cleanup(func() { _ = old.Close(); _ = m.Close() })
	go func() { _ = m.Run(context.Background()) }()
	return m, old, o
}

// How long the workers of the old master took for their addresses is what the new one goes
// by, and passes on.
func TestTimesArePassedOn(t *testing.T) {
	m, old := newMasterOn(t, func() error { return nil })
	needed := successor.Times{0: {"tcp :81": time.Hour}}
	old.Send(&successor.Message{Kind: successor.State, State: &successor.Snapshot{
		Served: map[int][]string{0: {"tcp :81"}}, Needed: needed,
	}})
	var got *successor.Snapshot
	waitUntil(t, "the new master to have a state", func() bool {
		_ = m.loop.Ask(func(l *loop) error { got = (&upgrade{l: l}).Snapshot(); return nil })
		return got != nil && len(got.Served) > 0
	})
	if took := got.Needed[0]["tcp :81"]; took != time.Hour {
		t.Errorf("an hour has become %v", took)
	}
}

// A new master is drained if the old one was when it took over.
func TestDrainIsPassedOn(t *testing.T) {
	for _, drained := range []bool{true, false} {
		m, old := newMasterOn(t, func() error { return nil })
		old.Send(&successor.Message{Kind: successor.State, State: &successor.Snapshot{Generation: 4, Drained: !drained}})
		old.until(successor.Ready)
		if _, _, s := m.Serving(); s.Drained() == drained {
			t.Errorf("the new master doesn't have the state of the old one: %v", s)
		}
		old.Send(&successor.Message{Kind: successor.Go, State: &successor.Snapshot{Generation: 4, Drained: drained}})
		waitUntil(t, "the takeover", func() bool { return m.Status().Phase == "serving" })
		if m.Status().Drained != drained {
			t.Errorf("after the takeover drained is %v", !drained)
		}
		var got *successor.Snapshot
		_ = m.loop.Ask(func(l *loop) error { got = (&upgrade{l: l}).Snapshot(); return nil })
		if got.Drained != drained {
			t.Errorf("what is passed on: %v", got.Drained)
		}
	}
}

// What happened during an upgrade is in the history of the new master, once.
func TestHistoryOfAnUpgrade(t *testing.T) {
	m, old := newMasterOn(t, func() error { return nil })
	s := &successor.Snapshot{Generation: 4, History: []status.Change{{Kind: status.Reload, Began: time.Unix(1, 0), Generation: 4}}}
	old.Send(&successor.Message{Kind: successor.State, State: s})
	old.until(successor.Ready)
	s.History = append(s.History, status.Change{Kind: status.Crash, Began: time.Unix(2, 0), Worker: 7},
		status.Change{Kind: status.Scale, Began: time.Unix(3, 0), Workers: 2})
	s.Workers, s.Scaled = 2, true
	old.Send(&successor.Message{Kind: successor.Go, State: s})
	waitUntil(t, "the takeover", func() bool { return m.Status().Phase == "serving" && len(m.Workers()) == 2 })
	got := m.Status().History
	if len(got) != 3 || got[0].Kind != status.Reload || got[1].Kind != status.Crash || got[2].Kind != status.Scale {
		t.Errorf("the history is %+v, want a reload, a crash and a scale", got)
	}
}

// A new master does what it was asked for before it was the master, and what comes late.
func TestNewMasterReloads(t *testing.T) {
	for _, tc := range []struct {
		name    string
		early   bool
		late    *successor.Snapshot
		workers int
	}{
		{"asked before", true, nil, 1},
		{"told late", false, &successor.Snapshot{Reload: true, By: "me", Scaled: true, Workers: 2, Drained: true}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, old := newMasterOn(t, func() error { return nil })
			old.Send(&successor.Message{Kind: successor.State, State: &successor.Snapshot{Generation: 4}})
			old.until(successor.Ready)
			if tc.early {
				go func() { _ = m.Reload(context.Background()) }()
				for waits := false; !waits; {
					_ = m.loop.Ask(func(l *loop) error { waits = len(l.pool.waiting) > 0; return nil })
				}
			}
			old.Send(&successor.Message{Kind: successor.Go, State: &successor.Snapshot{Generation: 4}})
			if tc.late != nil {
				old.Send(&successor.Message{Kind: successor.Late, State: tc.late})
			}
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				if ofGeneration(m, 6) == tc.workers {
					if s := m.Status(); s.Drained != (tc.late != nil) {
						t.Errorf("drained is %v", s.Drained)
					}
					by := ""
					_ = m.loop.Ask(func(l *loop) error { by = l.book.By(status.Reload); return nil })
					if s := m.Status(); s.Reload != nil {
						by = s.Reload.By
					}
					if tc.late != nil && by != "me" {
						t.Errorf("the reload is by %q", by)
					}
					return
				}
				if time.Now().After(end) {
					t.Fatalf("workers %v, want %d of generation 6", ids(m), tc.workers)
				}
			}
		})
	}
}

func ofGeneration(m *Master, number int) (n int) {
	for _, w := range m.Workers() {
		if w.Generation() == number {
			n++
		}
	}
	return n
}

// An upgrade under way is abandoned at once by a master that is told to stop, though it serves on
// for StopDelay.
func TestStopDelayAbandonsAnUpgrade(t *testing.T) {
	begun := make(chan struct{})
	m, _, result := oldMaster(t, Config{MinUptime: AtOnce, StopDelay: time.Hour}, func(l *otherMaster) error {
		defer l.Close()
		l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
		l.until(successor.State)
		close(begun)
		l.until(successor.Stop)
		return errExited
	})
	upgraded := make(chan error, 1)
	go func() { upgraded <- m.Upgrade(t.Context()) }()
	await(t, begun)
	_ = m.Stop()
	if err := await(t, upgraded); !errors.Is(err, ErrStopping) {
		t.Errorf("Upgrade: %v, want ErrStopping", err)
	}
	if n := len(m.Workers()); n == 0 {
		t.Error("no worker serves any more")
	}
	_ = m.Stop()
	if err := await(t, result); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// A reload that is requested during an upgrade is left to the new master, and its caller is told so.
func TestReloadIsLeft(t *testing.T) {
	begun, asked := make(chan struct{}), make(chan struct{})
	passed := make(chan successor.Message, 1)
	m, _, result := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error {
		defer l.Close()
		l.greets()
		l.until(successor.State)
		close(begun)
		<-asked
		l.Send(&successor.Message{Kind: successor.Ready})
		passed <- l.until(successor.Go)
		return nil
	})
	go func() { _ = m.Upgrade(context.Background()) }()
	await(t, begun)
	reloaded := make(chan error, 1)
	go func() { reloaded <- m.Reload(status.By(context.Background(), "me")) }()
	waitForReloads(t, m, 1)
	close(asked)
	if err := await(t, reloaded); !errors.Is(err, reload.ErrLeft) {
		t.Errorf("Reload: %v, want ErrLeft", err)
	}
	if n := await(t, passed); n.State == nil || !n.State.Reload || n.State.By != "me" {
		t.Errorf("it passed on %+v, want a reload", n.State)
	}
	if err := await(t, result); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// waitForReloads waits until n calls of Reload wait.
func waitForReloads(t *testing.T, m *Master, n int) {
	t.Helper()
	waitUntil(t, "reloads to wait", func() (ok bool) {
		_ = m.loop.Ask(func(l *loop) error { ok = len(l.pool.waiting) == n; return nil })
		return ok
	})
}
