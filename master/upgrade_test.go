//go:build linux

package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/reload"
)

// Two masters in one process, on a link of the real kind, with workers that are fakes.

// oldMaster is a master whose successor is what play does at the other end of the link:
// its result is what tableflip would say.
func oldMaster(t *testing.T, cfg Config, play func(*otherMaster) error) (*Master, *fakeOS, <-chan error) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	o := &fakeOS{}
	s := o.sys()
	s.masters.Start = func(_ context.Context, end *os.File, _ string, starting func()) error {
		starting()
		return play(otherEnd(t, end))
	}
	m := newMaster(cfg, s)
	t.Cleanup(func() { _ = m.Close() })
	result := make(chan error, 1)
	ready := make(chan struct{})
	go func() { result <- m.Run(context.Background()) }()
	go func() {
		for len(m.Workers()) < cfg.workers() || !established(m) {
			time.Sleep(time.Millisecond)
		}
		close(ready)
	}()
	await(t, ready)
	return m, o, result
}

func established(m *Master) (yes bool) {
	_ = m.loop.Ask(func(l *loop) error { yes = l.state.Phase() == reload.PhaseServing; return nil })
	return yes
}

// otherMaster is the other master's end of the link.
type otherMaster struct {
	*successor.Link
	raw *link.Link
}

func (p *otherMaster) Close() error { return p.raw.Close() }

// greets says the hello of a new master.
func (l *otherMaster) greets() {
	l.Send(&successor.Message{Kind: successor.Hello, Version: successor.Version, PID: 7})
}

func otherEnd(t *testing.T, end *os.File) *otherMaster {
	defer end.Close()
	fd, err := descriptor.DupOf(end)
	if err != nil {
		t.Error(err)
	}
	link, err := link.New(fd)
	if err != nil {
		t.Error(err)
	}
	return &otherMaster{successor.NewLink(link), link}
}

func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("stuck")
	}
	return v
}

// until reads messages until one of that kind has come.
func (l *otherMaster) until(kind successor.Kind) (last successor.Message) {
	for {
		packets, err := l.raw.Receive()
		if err != nil {
			return successor.Message{Kind: successor.Kind(err.Error())}
		}
		for _, p := range packets {
			last = successor.Message{}
			if err := p.Decode(&last); err != nil {
				return successor.Message{Kind: successor.Kind(err.Error())}
			}
			descriptor.CloseAll(p.Files)
			if last.Kind == kind {
				return last
			}
		}
	}
}

var errExited = errors.New("child exited")

// A successor that dies, in every moment until its ready byte, leaves the old master as
// it was, but for the ids that it may have used.
func TestSuccessorDies(t *testing.T) {
	for _, tc := range []struct {
		name string
		play func(*otherMaster) error
		want error
	}{
		{"before hello", func(*otherMaster) error { return errExited }, errExited},
		{"before ready", func(l *otherMaster) error {
			l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
			l.until(successor.State)
			return errExited
		}, errExited},
		{"after go", func(l *otherMaster) error {
			l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
			l.Send(&successor.Message{Kind: successor.Ready})
			l.until(successor.Go)
			return errExited
		}, errExited},
		{"with a reason", func(l *otherMaster) error {
			l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
			l.until(successor.State)
			l.Send(successor.Failure(fmt.Errorf("its workers are %w", ErrNotReady)))
			l.raw.Flush(t.Context())
			time.Sleep(50 * time.Millisecond) // the loop reads it before it learns of the exit
			return errExited
		}, ErrNotReady},
		{"too slow", func(l *otherMaster) error {
			l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
			l.until(successor.Stop)
			return errExited
		}, ErrNotReady},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := Config{Workers: 2, MinUptime: -1, ReadyTimeout: 500 * time.Millisecond, KillAfter: -1}
			m, _, _ := oldMaster(t, cfg, func(l *otherMaster) error {
				defer l.Close()
				return tc.play(l)
			})
			err := m.Upgrade(t.Context())
			var failed *UpgradeError
			if !errors.As(err, &failed) || !errors.Is(err, tc.want) {
				t.Errorf("Upgrade: %v, want an *UpgradeError with %v", err, tc.want)
			}
			if got := ids(m); !slices.Equal(got, []int{1, 2}) {
				t.Errorf("workers %v live, want 1 and 2", got)
			}
			if err := m.Reload(t.Context()); err != nil {
				t.Errorf("Reload afterwards: %v", err)
			}
			if got := ids(m); tc.name != "before hello" && got[len(got)-1] <= 1000 {
				t.Errorf("workers %v: their ids may have been used", got)
			}
		})
	}
}

// A successor that has said that it fails, and then hangs, is killed.
func TestSuccessorFailsAndHangs(t *testing.T) {
	killed := make(chan struct{})
	cfg := Config{MinUptime: -1, Grace: -1, KillAfter: -1}
	m, _, _ := oldMaster(t, cfg, func(l *otherMaster) error {
		defer l.Close()
		l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
		l.Send(successor.Failure(errTest))
		<-killed
		return errExited
	})
	_ = m.loop.Ask(func(l *loop) error { l.sys.masters.Kill = func(string) { close(killed) }; return nil })
	upgraded := make(chan error, 1)
	go func() { upgraded <- m.Upgrade(t.Context()) }()
	if err := await(t, upgraded); err == nil || !strings.Contains(err.Error(), errTest.Error()) {
		t.Errorf("Upgrade: %v, want the reason that the successor gave", err)
	}
}

// An upgrade that hangs doesn't delay a reload until it is not ready in time.
func TestHangingUpgradeIsSuperseded(t *testing.T) {
	t.Parallel()
	killed := make(chan struct{})
	cfg := Config{MinUptime: -1, Grace: -1, KillAfter: -1}
	m, _, _ := oldMaster(t, cfg, func(l *otherMaster) error {
		defer l.Close()
		<-killed
		return errExited
	})
	_ = m.loop.Ask(func(l *loop) error { l.sys.masters.Kill = func(string) { close(killed) }; return nil })
	upgraded, reloaded := make(chan error, 1), make(chan error, 1)
	go func() { upgraded <- m.Upgrade(t.Context()) }()
	waitUntil(t, "the upgrade to begin", func() (begun bool) {
		_ = m.loop.Ask(func(l *loop) error { begun = l.state.Phase() == reload.PhaseUpgrading; return nil })
		return begun
	})
	go func() { reloaded <- m.Reload(t.Context()) }()
	if err := await(t, upgraded); !errors.Is(err, reload.ErrSuperseded) {
		t.Errorf("Upgrade: %v, want ErrSuperseded", err)
	}
	if err := await(t, reloaded); err != nil {
		t.Errorf("Reload: %v", err)
	}
}

// The old master's stop is the new one's too, up to the last moment.
func TestStopBeforeGo(t *testing.T) {
	sent := make(chan successor.Message, 1)
	begun := make(chan struct{})
	m, _, result := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error {
		defer l.Close()
		l.Send(&successor.Message{Kind: successor.Hello, Version: 1, PID: 7})
		l.until(successor.State)
		close(begun)
		n := l.until(successor.Stop)
		l.Send(&successor.Message{Kind: successor.Ready}) // too late
		sent <- n
		return errExited
	})
	upgraded := make(chan error, 1)
	go func() { upgraded <- m.Upgrade(t.Context()) }()
	await(t, begun)
	if err := m.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	if n := await(t, sent); n.Kind != successor.Stop || n.AtOnce {
		t.Errorf("the new master got %+v, want a graceful stop", n)
	}
	if err := await(t, upgraded); !errors.Is(err, ErrStopping) {
		t.Errorf("Upgrade: %v, want ErrStopping", err)
	}
	if err := await(t, result); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// Two that are asked for at once are one.
func TestUpgradesCoalesce(t *testing.T) {
	release := make(chan struct{})
	begun := make(chan struct{}, 2)
	m, _, result := oldMaster(t, Config{MinUptime: -1}, func(l *otherMaster) error {
		defer l.Close()
		begun <- struct{}{}
		<-release
		return nil
	})
	errs := make(chan error, 2)
	go func() { errs <- m.Upgrade(t.Context()) }()
	await(t, begun)
	go func() { errs <- m.Upgrade(t.Context()) }()
	for waiting := 0; waiting < 2; {
		_ = m.loop.Ask(func(l *loop) error { waiting = len(l.upgrade.results); return nil })
	}
	close(release)
	for range 2 {
		if err := await(t, errs); err != nil {
			t.Errorf("Upgrade: %v", err)
		}
	}
	if err := await(t, result); err != nil {
		t.Errorf("Run: %v", err)
	}
	if len(begun) > 0 {
		t.Error("a second successor was started")
	}
}

// Both are real: what the old one knows, the new one knows.
func TestHandover(t *testing.T) {
	for _, pidFile := range []string{"pid", "other"} {
		t.Run(pidFile, func(t *testing.T) { testHandover(t, pidFile) })
	}
}

// onlyFile reports whether a directory has one file, which is path.
func onlyFile(dir, path string) bool {
	all, _ := filepath.Glob(dir + "/*")
	return slices.Equal(all, []string{path})
}

// testHandover is TestHandover with a new master that has another PID file, or the same.
func testHandover(t *testing.T, newFile string) {
	o := &fakeOS{}
	next := make(chan *Master, 1)
	dir := t.TempDir()
	pidFile, newFile := filepath.Join(dir, "pid"), filepath.Join(dir, newFile)
	m, _, result := oldMaster(t, Config{Workers: 2, MinUptime: -1, PIDFile: pidFile}, func(l *otherMaster) error {
		l.greets()
		ready := make(chan struct{})
		s := o.sys()
		s.masters.Predecessor = func() (*successor.Link, bool, error) { return l.Link, true, nil }
		s.masters.Following = func() bool { return true }
		s.masters.SignalReady = func() error { close(ready); return nil }
		m := newMaster(Config{Workers: 2, MinUptime: -1, PIDFile: newFile, Logger: slog.New(slog.DiscardHandler)}, s)
		go func() { _ = m.Run(context.Background()) }()
		next <- m
		<-ready
		return nil
	})
	if err := m.Scale(3); err != nil {
		t.Fatal(err)
	}
	for listening := 0; listening < 3; time.Sleep(time.Millisecond) { // a fake that starts is deaf
		listening = 0
		for _, w := range m.Workers() {
			if w.State() == Listening {
				listening++
			}
		}
	}
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := slices.Max(ids(m))
	if err := m.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := await(t, result); err != nil {
		t.Errorf("Run: %v", err)
	}
	n := await(t, next)
	defer n.Close()
	waitUntil(t, "one PID file", func() bool { return onlyFile(dir, newFile) }) // it has the pid of both
	for i, w := range n.Workers() {
		if w.ID() != last+1+i || w.Slot() != i || w.Generation() != 3 {
			t.Errorf("worker %d in slot %d of generation %d, want %d in %d of 3", w.ID(), w.Slot(), w.Generation(), last+1+i, i)
		}
	}
	if len(n.Workers()) != 3 {
		t.Errorf("%d workers, want 3", len(n.Workers()))
	}
	if len(o.bound) > 0 {
		t.Errorf("the new master has bound %v", o.bound)
	}
}

func TestUpgradeThatCannotBeTried(t *testing.T) {
	m, _, _ := oldMaster(t, Config{MinUptime: -1}, nil)
	_ = m.loop.Ask(func(l *loop) error { l.sys.pid = func() int { return 1 }; return nil })
	if err := m.Upgrade(t.Context()); !errors.Is(err, ErrPID1) {
		t.Errorf("as PID 1: %v, want ErrPID1", err)
	}
	idle := newMaster(Config{Logger: slog.New(slog.DiscardHandler)}, (&fakeOS{}).sys())
	defer idle.Close()
	if err := idle.Upgrade(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without Run: %v, want ErrNotRunning", err)
	}
}
