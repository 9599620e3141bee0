package master

import (
	"context"
	"os"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/successor"
)

// upgrade is one that was asked of this master, the old one.
type upgrade struct {
	successor.Upgrade
	results []chan error
	began   time.Time
	ctx     context.Context // ends the wait for this master's own predecessor, and the start
	cancel  func()
	link    *successor.Link // nil until the new process is started
	mark    string          // of the new process
	sent    map[int]bool    // sockets, by id
	stop    func()          // stops the deadline
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

// newUpgrade begins an upgrade, which waits for this master's own predecessor to exit.
// Reloads go on meanwhile: the predecessor may have a long download to finish.
func (l *loop) newUpgrade() {
	u := &upgrade{began: time.Now(), sent: map[int]bool{}, stop: func() {}}
	u.ctx, u.cancel = context.WithCancel(l.ctx)
	l.upgrade = u
	l.work(func() func() {
		l.sys.parentGone(u.ctx)
		return func() { u.ParentGone(); l.dirty = true }
	})
}

// upgrading reports whether reloads must wait, because an upgrade is next or this process
// has not taken over.
func (l *loop) upgrading() bool {
	return l.takeover != nil || l.upgrade != nil && l.upgrade.HoldsReloads()
}

// nextUpgrade starts the new master if an upgrade is due and the pool is at rest.
func (l *loop) nextUpgrade() {
	u, p := l.upgrade, l.pool
	if u == nil || l.takeover != nil || p == nil || p.preparing || p.goal.Next != 0 || !p.goal.Established || p.goal.Stop || !u.Start() {
		return
	}
	u.mark = successor.NewMark()
	l.log.Info("rota: upgrade")
	mine, end, err := link.Pair()
	if err != nil {
		l.upgraded(err)
		return
	}
	u.link = successor.NewLink(mine)
	starting := func() { l.m.post(func(l *loop) { l.boundUpgrade(u) }) }
	l.work(func() func() {
		err := l.sys.startSuccessor(u.ctx, end, u.mark, starting)
		return func() { l.upgraded(err) }
	})
	l.work(func() func() { l.readSuccessor(u); return func() {} })
}

func (l *loop) readSuccessor(u *upgrade) {
	_ = u.link.Read(func(m *successor.Message, files []*descriptor.FD) {
		descriptor.CloseAll(files) // a new master has none to give
		l.m.calls <- func(l *loop) { l.fromSuccessor(u, m) }
	})
}

// fromSuccessor takes a message of the new master.
func (l *loop) fromSuccessor(u *upgrade, m *successor.Message) {
	if l.upgrade != u {
		return
	}
	if m.Kind == successor.Hello {
		successor.ForgetMark()
	}
	switch u.Receive(m) {
	case successor.Introduce:
		l.introduce(u)
	case successor.Announce:
		l.announce(u)
	case successor.SendStop:
		l.stopSuccessor(u, false)
	}
}

// introduce sends the new master all that it has to know.
func (l *loop) introduce(u *upgrade) {
	l.log.Info("rota: upgrade: new master is there", "pid", u.PID())
	l.sendGiven(u)
	l.sendSockets(u)
	var last int
	last, l.lastID = u.Reserve(l.lastID)
	u.link.Send(&successor.Message{Kind: successor.State, State: l.snapshot(last)})
}

// boundUpgrade bounds the time that the new master may take.
func (l *loop) boundUpgrade(u *upgrade) {
	if d := l.limits().Deadline(); d > 0 {
		u.stop = l.after(d, func() { l.failUpgrade(u, ErrNotReady) })
	}
}

func (l *loop) limits() successor.Limits {
	p := l.cfg.policy().WithDefaults()
	return successor.Limits{ReadyTimeout: p.ReadyTimeout, MinUptime: p.MinUptime, Grace: p.Grace, KillAfter: p.KillAfter}
}

// announce tells systemd the new master's pid and then sends "go". The order matters:
// systemd may ignore a process that it doesn't know as the main one.
func (l *loop) announce(u *upgrade) {
	if !l.keepsServing() {
		return
	}
	pid := u.PID()
	l.work(func() func() {
		l.systemd.MainPID(pid)
		l.systemd.Flush()
		return func() { l.sendGo(u) }
	})
}

// sendGo hands over, unless this master has been told to stop or the upgrade has failed.
func (l *loop) sendGo(u *upgrade) {
	if l.upgrade != u || !l.keepsServing() {
		return
	}
	l.sendSockets(u)
	if s := l.snapshot(u.FinalID(l.lastID)); u.Announced(s) {
		u.link.Send(&successor.Message{Kind: successor.Go, State: s})
	}
}

// keepsServing reports whether the pool runs and has not been told to stop.
func (l *loop) keepsServing() bool { return l.pool != nil && !l.pool.goal.Stop }

// failUpgrade fails an upgrade whose new master is at fault.
func (l *loop) failUpgrade(u *upgrade, why error) {
	if l.upgrade == u && u.Fail(why) == successor.SendStop {
		l.stopSuccessor(u, false)
	}
}

// stopSuccessor tells the new master to stop, gracefully or at once, and kills it if it
// takes too long. Its workers see the end of their link, and drain.
func (l *loop) stopSuccessor(u *upgrade, atOnce bool) {
	u.cancel()
	u.link.Send(&successor.Message{Kind: successor.Stop, AtOnce: atOnce})
	unacked, last := l.limits().Kill(atOnce)
	l.killSuccessor(u, unacked, false)
	l.killSuccessor(u, last, true)
}

func (l *loop) killSuccessor(u *upgrade, d time.Duration, last bool) {
	l.after(d, func() {
		if l.upgrade == u && u.MayKill(last) {
			l.work(func() func() { successor.Kill(u.mark); return func() {} })
		}
	})
}

// abandonUpgrade fails the upgrade because this master has been told to stop.
func (l *loop) abandonUpgrade(atOnce bool) {
	u := l.upgrade
	if u == nil {
		return
	}
	switch u.Abandon(ErrStopping) {
	case successor.Answer:
		u.cancel()
		l.upgraded(ErrStopping)
	case successor.SendStop:
		l.stopSuccessor(u, atOnce)
	}
}

// upgraded ends the upgrade: err is nil if the new master has taken over.
func (l *loop) upgraded(err error) {
	u := l.upgrade
	l.upgrade, l.dirty = nil, true
	err = u.End(err)
	if err == nil && l.pool != nil {
		l.sendLate(u)
	}
	if u.link != nil {
		l.work(func() func() { u.link.Close(); return func() {} })
	}
	u.stop()
	if err != nil {
		l.upgradeFailed(u, err)
	} else {
		l.retire(u)
	}
	if l.pool != nil && l.pool.goal.Stopped {
		l.finishPool(nil) // which has waited for the upgrade's end
	}
}

// sendLate sends what this master was asked for after "go", and leaves to the new one.
func (l *loop) sendLate(u *upgrade) {
	if s := u.Late(l.snapshot(0)); s != nil {
		u.link.Send(&successor.Message{Kind: successor.Late, State: s})
	}
}

// retire drains this master's workers. The files of its sockets, and systemd, are the new
// master's from now on.
func (l *loop) retire(u *upgrade) {
	l.log.Info("rota: upgrade done, this master leaves", "new", u.PID(), "took", time.Since(u.began).Round(time.Millisecond))
	l.sockets.disown()
	l.systemd.Silence()
	u.answer(nil)
	l.stopPool()
}

func (l *loop) upgradeFailed(u *upgrade, err error) {
	if u.WasReleased() {
		l.systemd.MainPID(os.Getpid())
	}
	e := &UpgradeError{PID: u.PID(), Err: err}
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
