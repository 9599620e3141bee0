//go:build linux

package successor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// bench is a master's loop, run by the test, and the master itself: it records what the
// driver calls.
type bench struct {
	t      *testing.T
	calls  chan func()
	events []string
	policy reload.Policy
	silent int // how many times a worker's sign of life has not come yet

	binding int    // how many times a worker waits for a socket; after the last it is open
	opened  bool   // it is
	taking  func() // called by TakingOver

	announce func() // called by Announce
	unread   error  // what Announce returns

	opensNow bool // a socket is opened when the new master is introduced
	onOpened func()
	alone    bool // NoneComes was called
	misses   bool // an address is in use when the new master has begun
	missing  func()
	shared   sharedfile.Table
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, calls: make(chan func(), 64), announce: func() {}}
}

func (b *bench) loop() Loop {
	post := func(f func()) { b.calls <- f }
	return Loop{
		Post: post,
		Work: func(f func() func()) { go func() { post(f()) }() },
		After: func(d time.Duration, f func()) func() {
			t := time.AfterFunc(d, func() { post(f) })
			return func() { t.Stop() }
		},
	}
}

func (b *bench) say(format string, args ...any) {
	b.events = append(b.events, fmt.Sprintf(format, args...))
}

// until runs the loop until there is an event that begins with last.
func (b *bench) until(last string) {
	b.t.Helper()
	timeout := time.After(10 * time.Second)
	for !slices.ContainsFunc(b.events, func(event string) bool { return strings.HasPrefix(event, last) }) {
		select {
		case f := <-b.calls:
			f()
		case <-timeout:
			b.t.Fatalf("no %q after %q", last, b.events)
		}
	}
}

// ordered returns the events with those at the end that may come before others or after them: they depend on another goroutine.
func (b *bench) ordered() []string {
	async := []string{"receive in slot 3", "none comes"}
	all := slices.DeleteFunc(slices.Clone(b.events), func(event string) bool { return slices.Contains(async, event) })
	for _, event := range async {
		if slices.Contains(b.events, event) {
			all = append(all, event)
		}
	}
	return all
}

func (b *bench) want(events ...string) {
	b.t.Helper()
	if !slices.Equal(b.ordered(), events) {
		b.t.Errorf("the driver called\n%q\nwant\n%q", b.events, events)
	}
}

func (b *bench) Policy() reload.Policy      { return b.policy }
func (b *bench) Serving() bool              { return true }
func (b *bench) AwaitsAnswer() bool         { b.silent--; return b.silent >= 0 }
func (b *bench) Due()                       { b.say("due") }
func (b *bench) Introduced(pid, lastID int) { b.say("introduced, ids up to %d are taken", lastID) }
func (b *bench) Announce(int) error         { b.announce(); return b.unread } // not on the loop
func (b *bench) TakeBack()                  { b.say("take back") }
func (b *bench) Snapshot() *Snapshot        { return &Snapshot{Workers: 2, LastID: 5} }
func (b *bench) Ended(err error)            { b.say("ended: %v", err) }
func (b *bench) Begin(s *Snapshot)          { b.say("begin with %d workers", s.Workers) }
func (b *bench) TookOver(err error)         { b.say("took over: %v", err) }
func (b *bench) CatchUp(s *Snapshot)        { b.say("catch up with %d workers", s.Workers) }
func (b *bench) Withdraw(err error)         { b.say("withdraw: %v", err) }
func (b *bench) Abort(err error)            { b.say("abort: %v", err) }
func (b *bench) Stop()                      { b.say("stop") }
func (b *bench) Signal(s os.Signal)         { b.say("signal %v", s) }
func (b *bench) KillWorkers()               { b.say("kill the workers") }

func (b *bench) Leases() ([]*descriptor.FD, error) { return []*descriptor.FD{someFile(b.t)}, nil }
func (b *bench) AwaitLeases(end *descriptor.FD) {
	_ = end.Close()
	b.say("leases")
}

func (b *bench) Releases(send func(int, *descriptor.FD)) { send(4, someFile(b.t)) }
func (b *bench) KeepRelease(generation int, executable *descriptor.FD) {
	_ = executable.Close()
	b.say("release %d", generation)
}

func (b *bench) Pairs(send func(int, *descriptor.FD)) { send(3, someFile(b.t)) }
func (b *bench) Receive(slot int, pair *descriptor.FD) {
	_ = pair.Close()
	b.say("receive in slot %d", slot)
}

func (b *bench) TakingOver() {
	b.say("taking over")
	if b.taking != nil {
		b.taking()
	}
}

func (b *bench) Binding() bool {
	b.binding--
	b.opened = b.opened || b.binding == 0
	return b.binding >= 0
}

func (b *bench) GiveState(slot int, pipe *descriptor.FD) {
	_ = pipe.Close()
	b.say("give the state of slot %d", slot)
}

func (b *bench) OnOpened(f func())  { b.onOpened = f }
func (b *bench) OnMissing(f func()) { b.missing = f }
func (b *bench) NoneComes()         { b.alone = true; b.say("none comes") }
func (b *bench) OwnFiles()          { b.say("own the files") }
func (b *bench) DisownFiles()       { b.say("disown the files") }

func (b *bench) SendInherited(send func(json.RawMessage, *descriptor.FD)) {
	send(json.RawMessage(`"inherited"`), someFile(b.t))
}

func (b *bench) SendOpen(sent map[[2]int]bool, send func(json.RawMessage, *descriptor.FD)) error {
	if !sent[[2]int{1, 0}] {
		send(json.RawMessage(`"open"`), someFile(b.t))
	}
	sent[[2]int{1}] = true
	if b.opened && !sent[[2]int{2}] {
		send(json.RawMessage(`"late"`), someFile(b.t))
		sent[[2]int{2}] = true
	}
	return nil
}

func (b *bench) Inherit(payload json.RawMessage, files []*descriptor.FD) {
	descriptor.CloseAll(files)
	b.say("inherit %s", payload)
}

func (b *bench) Restore(payload json.RawMessage, files []*descriptor.FD, late bool) error {
	descriptor.CloseAll(files)
	if string(payload) == `"bad"` {
		return errTest
	}
	b.say("restore %s, late: %t", payload, late)
	return nil
}

// attempt starts an Attempt whose new master is what play does with the file that it gets.
func (b *bench) attempt(play func(end *os.File) error, kill func()) *Attempt {
	a := &Attempt{Owner: b, Loop: b.loop(), Sockets: b, Shared: &b.shared, System: System{
		AwaitParent: func(context.Context) {},
		Start: func(_ context.Context, end *os.File, _ string, starting func()) error {
			defer end.Close()
			starting()
			return play(end)
		},
		Kill: func(string) { kill() },
	}}
	a.Await(b.t.Context())
	b.until("due")
	a.Start()
	return a
}

// handOver plays both drivers together: the service goes from one master to the other.
func handOver(old, next *bench, last string) {
	next.calls = old.calls // one goroutine plays both loops
	taken, follow := make(chan struct{}), make(chan *Link, 1)
	old.attempt(func(end *os.File) error {
		l, err := Dial(end)
		follow <- l
		<-taken
		return err
	}, nil)
	f := &Follower{Owner: next, Loop: next.loop(), Sockets: next, Shared: &next.shared, System: System{
		SignalReady: func() error { close(taken); return nil },
	}}
	f.Follow(<-follow)
	old.until("introduced")
	next.until("begin")
	if old.opensNow {
		old.opened = true
		old.onOpened()
		next.until("restore \"late\"")
	}
	if old.misses {
		old.missing()
		old.missing() // asks once
		old.until("restore")
	}
	f.AskState(4, someFile(old.t))
	old.until("give")
	f.Started(time.Minute)
	next.silent = 2
	f.Established(0, time.Minute)
	next.until("catch up")
	old.until("ended")
	next.until(last)
}

func TestAttemptAndFollower(t *testing.T) {
	old, next := newBench(t), newBench(t)
	defer old.shared.Close()
	defer next.shared.Close()
	for b, text := range map[*bench]string{old: "old", next: "new"} { // both have one: each keeps its own
		writeShared(t, b, "both", text)
	}
	writeShared(t, old, "numbers", "17")
	ask := wire.Frame{Type: wire.Share, Body: wire.Body(wire.ShareBody{Name: "spare", Size: 1})}
	if err := old.shared.Handle(1, ask, false, func(_ wire.Frame, files ...*descriptor.FD) error { descriptor.CloseAll(files); return nil }); err != nil {
		t.Fatal(err)
	}
	handOver(old, next, "receive")
	if !next.shared.Gone(2) {
		t.Error("the new master keeps a spare file that none of its workers has asked for")
	}
	old.want("due", "introduced, ids up to 1005 are taken", "give the state of slot 4", "disown the files", "ended: <nil>")
	next.want(`inherit "inherited"`, `restore "open", late: false`, "leases", "release 4", "begin with 2 workers", "taking over", "own the files",
		"took over: <nil>", "catch up with 2 workers", "receive in slot 3")
	for name, want := range map[string]string{"numbers": "17", "both": "new"} {
		if got := readShared(t, next, name, len(want)); got != want {
			t.Errorf("the file %s has %q in the new master, want %q", name, got, want)
		}
	}
}

func openShared(t *testing.T, b *bench, name string) *os.File {
	fd, err := b.shared.Open(name, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	f, err := fd.File(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func writeShared(t *testing.T, b *bench, name, text string) {
	if _, err := openShared(t, b, name).WriteAt([]byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

func readShared(t *testing.T, b *bench, name string, n int) string {
	text := make([]byte, n)
	if _, err := openShared(t, b, name).ReadAt(text, 0); err != nil {
		t.Error(err)
	}
	return string(text)
}

// A socket that is being opened when the new master is ready is waited for before "go".
func TestBindBeforeGo(t *testing.T) {
	old, next := newBench(t), newBench(t)
	old.binding = 3
	handOver(old, next, "receive")
	next.want(`inherit "inherited"`, `restore "open", late: false`, "leases", "release 4", "begin with 2 workers", `restore "late", late: true`, "taking over", "own the files",
		"took over: <nil>", "catch up with 2 workers", "receive in slot 3")
}

// One that was opened since the new master was introduced is sent at once: a worker of its
// may want the same. When the old master's link has ended none comes any more.
func TestOpenedDuringTrial(t *testing.T) {
	old, next := newBench(t), newBench(t)
	old.opensNow = true
	next.taking = func() {
		if next.alone {
			t.Error("nothing is expected from a master that lives")
		}
	}
	handOver(old, next, "receive")
	next.until("none comes")
	if old.onOpened != nil {
		t.Error("a master that has ended its link is told of sockets")
	}
	next.want(`inherit "inherited"`, `restore "open", late: false`, "leases", "release 4", "begin with 2 workers", `restore "late", late: true`, "taking over", "own the files",
		"took over: <nil>", "catch up with 2 workers", "receive in slot 3", "none comes")
}

// The old master gets a socket that the new one has opened if it misses it.
func TestOpenedByTheNewMaster(t *testing.T) {
	old, next := newBench(t), newBench(t)
	old.misses = true
	handOver(old, next, "receive")
	old.want("due", "introduced, ids up to 1005 are taken", `restore "open", late: false`, "give the state of slot 4", "disown the files", "ended: <nil>")
	if old.missing != nil {
		t.Error("a master that was replaced misses sockets")
	}
}

// One that is being opened when the new master has taken over is sent afterwards, and its file
// is left to the new master.
func TestBindAfterGo(t *testing.T) {
	old, next := newBench(t), newBench(t)
	next.taking = func() { old.binding = 3 }
	handOver(old, next, `restore "late"`)
	old.want("due", "introduced, ids up to 1005 are taken", "give the state of slot 4", "disown the files", "ended: <nil>", "disown the files", "disown the files", "disown the files")
	all := strings.TrimSuffix(strings.Join(next.ordered(), "; "), "; none comes") // it may not have come yet
	if !strings.HasSuffix(all, `restore "late", late: true; own the files; receive in slot 3`) {
		t.Error(all)
	}
}

// A worker that waits for a socket without an end holds up nothing.
func TestBindThatHangs(t *testing.T) {
	old, next := newBench(t), newBench(t)
	old.binding = 1 << 30
	begin := time.Now()
	handOver(old, next, "receive")
	if took := time.Since(begin); took < bindTimeout {
		t.Errorf("the upgrade took %v, want the %v that a bind may take", took, bindTimeout)
	}
}

// A new master that doesn't exit is killed, whether it has failed by its own account or
// takes too long.
func TestNewMasterThatHangsIsKilled(t *testing.T) {
	for _, tc := range []struct {
		name       string
		policy     reload.Policy
		superseded bool
		says       *Message
		want       string
	}{
		{"has failed", reload.Policy{ReadyTimeout: reload.NoLimit}, false, Failure(errTest), "ended: test"},
		{"takes too long", reload.Policy{ReadyTimeout: time.Millisecond}, false, hello, "ended: not ready in time"},
		{"is superseded", reload.Policy{ReadyTimeout: reload.NoLimit}, true, hello, "ended: " + reload.ErrSuperseded.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.policy = tc.policy
			killed := make(chan struct{})
			a := b.attempt(func(end *os.File) error {
				l, err := Dial(end)
				if err != nil {
					return err
				}
				defer l.Abort()
				l.Send(tc.says)
				<-killed
				return errExited
			}, func() { close(killed) })
			if tc.superseded {
				a.Supersede(time.Millisecond)
				a.Supersede(time.Hour)
			}
			b.until("ended")
			if got := b.events[len(b.events)-1]; got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// readyUntil plays a new master that is ready at once, and exits when wait returns.
func readyUntil(wait func(*Link)) func(end *os.File) error {
	return func(end *os.File) error {
		l, err := Dial(end)
		if err != nil {
			return err
		}
		defer l.Abort()
		l.Send(hello)
		l.Send(&Message{Kind: Ready})
		wait(l)
		return errExited
	}
}

// The service manager is told this master's pid again if the new one ends before "go", and last even if it is still being told
// the new one's.
func TestTakeBack(t *testing.T) {
	for _, slow := range []bool{false, true} {
		t.Run(fmt.Sprintf("slow=%t", slow), func(t *testing.T) {
			b := newBench(t)
			b.binding = 1 << 30 // keeps "go" from being sent
			exits, announced := make(chan struct{}), make(chan struct{})
			b.announce = func() {
				close(exits)
				if slow {
					<-announced
				}
			}
			b.attempt(readyUntil(func(*Link) { <-exits }), nil)
			b.until("ended")
			want := []string{"due", "introduced, ids up to 1005 are taken", "own the files", "take back", "ended: exited"}
			b.want(want...)
			if slow {
				b.events = nil
				close(announced)
				b.until("take back")
			}
		})
	}
}

// A service manager that doesn't read which process is the main one fails the upgrade: with the end of this master it would
// end the service.
func TestNotAnnounced(t *testing.T) {
	b := newBench(t)
	b.unread = errTest
	b.attempt(readyUntil(func(l *Link) {
		_ = l.Read(func(m *Message, files []*descriptor.FD) {
			descriptor.CloseAll(files)
			if m.Kind == Stop || m.Kind == Go {
				b.calls <- func() { b.say("the new master is told %s", m.Kind) }
				l.Abort()
			}
		})
	}), func() {})
	b.until("ended")
	if !slices.Contains(b.events, "the new master is told "+string(Stop)) || !slices.Contains(b.events, "take back") || b.events[len(b.events)-1] != "ended: test" {
		t.Errorf("%q", b.events)
	}
}

// A new master that fails tells the old one why, and its owner.
func TestFollowerWithdraws(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		event      func(f *Follower, old *Link)
	}{
		{"a socket can't be restored", "withdraw: test", func(_ *Follower, old *Link) { old.Send(&Message{Kind: Socket, Socket: json.RawMessage(`"bad"`)}) }},
		{"a worker dies", "withdraw: test", func(f *Follower, _ *Link) { f.WorkerDied(errTest) }},
		{"its workers are late", "withdraw: its workers are not ready in time", func(f *Follower, _ *Link) { f.Started(time.Millisecond) }},
		{"a worker gives no sign of life", "withdraw: one of its workers: no answer after it was ready", func(f *Follower, _ *Link) { f.Established(0, time.Nanosecond) }},
		{"it is not wanted", "withdraw: it was not wanted any more", func(_ *Follower, old *Link) { old.Send(stopMsg) }},
		{"the old master dies", "abort: the old master is gone", func(_ *Follower, old *Link) { old.Abort() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			old, end := ends(t)
			l, err := Dial(end)
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t)
			b.silent = 5
			f := &Follower{Owner: b, Loop: b.loop(), Sockets: b}
			f.Follow(l)
			tc.event(f, old)
			kind, _, _ := strings.Cut(tc.want, ":")
			b.until(kind)
			if got := b.events[len(b.events)-1]; !strings.HasPrefix(got, tc.want) {
				t.Errorf("the owner was called: %s, want %s", got, tc.want)
			}
			f.Withdrawn(nil)
			if kind == "abort" {
				return
			}
			_ = end.Close()
			var reason string
			_ = old.Read(func(m *Message, _ []*descriptor.FD) {
				if reason == "" {
					reason = m.Reason
				}
			})
			if "withdraw: "+reason != tc.want {
				t.Errorf("the old master was told %q, want the reason in %q", reason, tc.want)
			}
		})
	}
}
