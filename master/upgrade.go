package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sockets"
)

// What Upgrade can fail with, besides what Reload can. errors.Is finds them.
var (
	ErrInit     = errors.New("this process is PID 1, and its end would be the end of the container")
	ErrNotReady = errors.New("not ready in time")
)

// UpgradeError is why an upgrade has failed. The master that returns it serves on as
// if nothing had been.
type UpgradeError struct {
	PID int   // of the new master; 0: it was not heard of
	Err error // why
}

func (e *UpgradeError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("upgrade: %v", e.Err)
	}
	return fmt.Sprintf("upgrade: new master (pid %d): %v", e.PID, e.Err)
}

// Unwrap returns Err.
func (e *UpgradeError) Unwrap() error { return e.Err }

// Upgrade replaces the master itself by a process of the program's executable as it is
// now (argv[0], symbolic links not resolved), with the same arguments and the
// environment of this process. The new master gets every socket, the number of workers,
// the generation and the slots, and starts workers of its own; when they are ready this
// master disconnects its own, and Run returns nil when they have left. Upgrade
// returns nil as soon as the new master has taken over.
//
// It is all or nothing: a new master that fails, or whose workers fail, leaves this one
// as it was, and the error is an *UpgradeError. A reload under way is waited for, and so
// is a master before this one that still drains its workers. One that is asked for
// during another is that one. If ctx ends first the upgrade goes on and the error is
// ctx's. As PID 1 it fails with ErrInit, without Run with ErrNotRunning.
func (m *Master) Upgrade(ctx context.Context) error {
	result := make(chan error, 1)
	if err := m.ask(func(l *loop) error { return l.requestUpgrade(result) }); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	return m.wait(ctx, result)
}

const (
	// idBlock is how many worker ids an old master leaves to a new one.
	idBlock = 1000
	// stopLinger is how long a new master that was told to stop at once may take.
	stopLinger = time.Second
)

// upgrade is one that this master, the old one, was asked for.
type upgrade struct {
	results []chan error
	began   time.Time
	begun   bool // the new master is being started
	link    masterLink
	nonce   string // marks the new master's process
	ctx     context.Context
	cancel  func()       // ends the wait for this master's own predecessor
	alone   bool         // that is gone, or there was none
	pid     int          // of the new master, once it is heard of
	sent    map[int]bool // sockets, by id
	lastID  int          // of this master, when it told the new one
	gone    *stateNote   // what it was told with "go"; nil: that was not said
	heeds   bool         // it has said that it ends
	err     error        // why it is to fail
	stop    func()       // its deadline
}

func (l *loop) requestUpgrade(result chan error) error {
	switch p := l.pool; {
	case p == nil:
		return ErrNotRunning
	case p.goal.Stop:
		return ErrStopping
	case l.sys.pid() == 1:
		return ErrInit
	}
	if l.upgrade == nil {
		l.newUpgrade()
	}
	l.upgrade.results = append(l.upgrade.results, result)
	return nil
}

// newUpgrade is one that waits for the master before this one to leave. Reloads go on
// meanwhile: that one may have a long download to finish.
func (l *loop) newUpgrade() {
	u := &upgrade{began: time.Now()}
	u.ctx, u.cancel = context.WithCancel(l.ctx)
	l.upgrade = u
	l.work(func() func() { l.sys.alone(u.ctx); return func() { u.alone, l.dirty = true, true } })
}

// upgrading says that no reload may begin: an upgrade comes first, and what a master
// that isn't one yet does with its workers is start them.
func (l *loop) upgrading() bool {
	return l.takeover != nil || l.upgrade != nil && l.upgrade.alone
}

// nextUpgrade begins the upgrade that waits, if its time has come.
func (l *loop) nextUpgrade() {
	u, p := l.upgrade, l.pool
	if u == nil || u.begun || !u.alone || l.takeover != nil || p == nil || p.preparing || p.goal.Next != 0 || !p.goal.Established || p.goal.Stop {
		return
	}
	u.begun, u.nonce = true, fmt.Sprintf("%d.%d", os.Getpid(), time.Now().UnixNano())
	l.log.Info("rota: upgrade")
	link, end, err := link.Pair()
	if err != nil {
		l.upgraded(err)
		return
	}
	u.link = masterLink{link}
	starting := func() { l.m.post(func(l *loop) { l.boundUpgrade(u) }) }
	l.work(func() func() { err := l.sys.flip(u.ctx, end, u.nonce, starting); return func() { l.upgraded(err) } })
	l.work(func() func() {
		_ = u.link.read(func(n note, files []*descriptor.FD) {
			closeDescriptors(files) // a new master has nothing to give
			l.m.calls <- func(l *loop) { l.heardFromNew(u, n) }
		})
		return func() {}
	})
}

// heardFromNew does what the new master says.
func (l *loop) heardFromNew(u *upgrade, n note) {
	switch {
	case l.upgrade != u:
	case n.Kind == noteHello:
		l.introduce(u, n)
	case n.Kind == noteFailed:
		u.heeds = true
		if u.err == nil {
			u.err = errors.New(n.Reason)
		}
	case n.Kind == noteReady:
		l.letTakeOver(u)
	}
}

// introduce tells the new master all that it has to know.
func (l *loop) introduce(u *upgrade, n note) {
	u.pid = n.PID
	_ = os.Unsetenv(link.EnvUpgrade) // it is there, and nobody else should see this
	if n.Version < noteVersion {
		l.failUpgrade(u, fmt.Errorf("it speaks version %d, this master %d", n.Version, noteVersion))
		return
	}
	l.log.Info("rota: upgrade: new master is there", "pid", u.pid)
	l.sockets.SendInherited(func(s *sockets.InheritedSnapshot, fd *descriptor.FD) {
		u.link.send(note{Kind: noteGiven, Given: s}, fd)
	})
	l.sendSockets(u)
	u.lastID = l.lastID
	l.lastID += idBlock
	u.link.send(note{Kind: noteState, State: l.state(u.lastID)})
}

// boundUpgrade bounds what the new master may take: its own ReadyTimeout is for its
// workers, and its main does something before.
func (l *loop) boundUpgrade(u *upgrade) {
	p := l.cfg.policy().WithDefaults()
	if p.ReadyTimeout > 0 {
		u.stop = l.after(2*p.ReadyTimeout+max(p.MinUptime, 0), func() { l.failUpgrade(u, ErrNotReady) })
	}
}

// sendSockets sends the sockets that the new master has not got yet.
func (l *loop) sendSockets(u *upgrade) {
	if u.sent == nil {
		u.sent = map[int]bool{}
	}
	for s := range l.sockets.Sockets() {
		if u.sent[s.ID] {
			continue
		}
		u.sent[s.ID] = true
		if fd, err := s.FD.Dup(); err == nil {
			u.link.send(note{Kind: noteSocket, Socket: l.sockets.Snapshot(s.ID)}, fd)
		} else {
			l.failUpgrade(u, err)
		}
	}
}

func (l *loop) state(lastID int) *stateNote {
	s := &stateNote{
		Workers: l.pool.goal.Workers, Scaled: l.scaled, Generation: l.lastGen, LastID: lastID,
		Served: map[int][]string{}, Ports: l.sockets.Ports(),
		Reload: len(l.pool.waiting) > 0, Watchdog: l.systemd.watchdog,
	}
	for slot, served := range l.pool.served {
		for name := range served {
			s.Served[slot] = append(s.Served[slot], name)
		}
		slices.Sort(s.Served[slot])
	}
	return s
}

// letTakeOver says go, unless this master has been told to stop. systemd is told
// first: what comes from a process that is not the main one may be passed over.
func (l *loop) letTakeOver(u *upgrade) {
	if u.err != nil || l.pool == nil || l.pool.goal.Stop {
		return
	}
	l.work(func() func() {
		l.systemd.tell("MAINPID=" + strconv.Itoa(u.pid))
		l.systemd.flush()
		return func() { l.sayGo(u) }
	})
}

func (l *loop) sayGo(u *upgrade) {
	if u.err != nil || l.upgrade != u || l.pool == nil || l.pool.goal.Stop {
		return
	}
	last := u.lastID
	if l.lastID > u.lastID+idBlock {
		last = l.lastID // it has started some itself
	}
	l.sendSockets(u)
	u.gone = l.state(last)
	u.link.send(note{Kind: noteGo, State: u.gone})
}

// sendLate passes on what this master was asked for after "go", and has no more to do
// with.
func (l *loop) sendLate(u *upgrade) {
	if l.pool == nil || u.gone == nil {
		return
	}
	s := l.state(u.gone.LastID)
	s.Scaled, s.Reload = s.Workers != u.gone.Workers, s.Reload && !u.gone.Reload
	if s.Scaled || s.Reload {
		u.link.send(note{Kind: noteLate, State: s})
	}
}

// failUpgrade ends an upgrade whose new master is at fault.
func (l *loop) failUpgrade(u *upgrade, why error) {
	if l.upgrade != u || u.err != nil {
		return
	}
	u.err = why
	l.stopSuccessor(u, false)
}

// stopSuccessor ends a new master that must not take over: gracefully, or at once. One
// that doesn't say that it will is killed soon.
func (l *loop) stopSuccessor(u *upgrade, atOnce bool) {
	u.cancel()
	u.link.send(note{Kind: noteStop, AtOnce: atOnce})
	if atOnce {
		l.killSuccessor(u, stopLinger, true)
		return
	}
	p := l.cfg.policy().WithDefaults()
	l.killSuccessor(u, max(p.KillAfter, 0), false)
	l.killSuccessor(u, stopLinger+max(p.Grace, 0)+2*max(p.KillAfter, 0), true)
}

// killSuccessor kills the new master in d. Its workers see the end of their link, and
// finish what they have.
func (l *loop) killSuccessor(u *upgrade, d time.Duration, heeding bool) {
	l.after(d, func() {
		if l.upgrade == u && (heeding || !u.heeds) {
			l.work(func() func() { killMarked(u.nonce); return func() {} })
		}
	})
}

// abandonUpgrade: this master has been told to stop, and with it the new one.
func (l *loop) abandonUpgrade(atOnce bool) {
	u := l.upgrade
	if u == nil {
		return
	}
	if u.err == nil {
		u.err = ErrStopping
	}
	if !u.begun {
		u.cancel()
		l.upgraded(u.err)
		return
	}
	l.stopSuccessor(u, atOnce)
}

// upgraded: the new master has taken over, or err says why it has not. One that was
// told to stop and had its ready byte under way has taken over all the same.
func (l *loop) upgraded(err error) {
	u := l.upgrade
	l.upgrade, l.dirty = nil, true
	if err == nil {
		l.sendLate(u)
	}
	if u.link.Link != nil {
		l.work(func() func() { u.link.end(); return func() {} })
	}
	if u.stop != nil {
		u.stop()
	}
	if err != nil {
		l.upgradeFailed(u, err)
	} else {
		l.letGo(u)
	}
	if l.pool != nil && l.pool.goal.Stopped {
		l.finishPool(nil) // has waited for this
	}
}

// letGo is the end of this master's service, and not of the service.
func (l *loop) letGo(u *upgrade) {
	l.log.Info("rota: upgrade done, this master leaves", "new", u.pid, "took", time.Since(u.began).Round(time.Millisecond))
	l.sockets.DisownFiles()
	l.systemd.silence()
	u.answer(nil)
	l.stopPool()
}

func (l *loop) upgradeFailed(u *upgrade, err error) {
	if u.err != nil {
		err = u.err // says more than "exited"
	}
	if u.gone != nil {
		l.systemd.tell("MAINPID=" + strconv.Itoa(os.Getpid()))
	}
	e := &UpgradeError{PID: u.pid, Err: err}
	l.failed = e
	l.log.Error("rota: upgrade failed, this master serves on", "after", time.Since(u.began).Round(time.Millisecond), "err", e)
	u.answer(e)
	if l.pool != nil {
		l.nextReload()
	}
}

func (u *upgrade) answer(err error) {
	for _, result := range u.results {
		result <- err
	}
}
