package master

import (
	"time"

	"github.com/rota-go/rota/internal/recovery"
	"github.com/rota-go/rota/reload"
)

// keep has systemd keep what the next master takes up if this one dies. The loop calls it after
// each event. What was there before the first workers were ready stays until then, and in an
// upgrade until the new master has taken over, which is told what is there.
func (l *loop) keep() {
	switch {
	case !l.systemd.Stores() || l.takeover != nil || l.pool == nil || l.state.Phase() == reload.PhaseUpgrading:
	case l.state.Phase().Stopping():
		l.forsake()
	case !l.isEstablished():
		l.store.SaveLeases()
	default:
		s := recovery.State{Generation: l.pool.goal.Generation, Latest: l.lastGen, Workers: l.pool.goal.Workers, Scaled: l.scaled,
			Tickets: l.tickets.All(), Counters: l.counts.Total(), Changes: l.book.Tallies().Changes(), Snapshot: l.snapshot}
		if g := l.pool.generations[s.Generation]; g != nil {
			s.Image = g.Image
		}
		if err := l.store.Save(s); err != nil {
			l.log.Warn("rota: systemd can't keep what the master has", "err", err)
		}
	}
}

// forsake has systemd keep nothing. A master that follows another, or is followed by one, leaves
// the store alone.
func (l *loop) forsake() {
	if l.systemd.Stores() && l.takeover == nil {
		l.store.Empty()
	}
}

// whenSystemdHasRead calls done when all is sent to systemd, or when the master ends.
func (l *loop) whenSystemdHasRead(done func()) {
	await := l.systemd.Await(l.ctx)
	l.work(func() func() { await(); return done })
}

// unaskedAfter is when sockets of a master that has died are closed that no worker has asked for.
const unaskedAfter = 30 * time.Second

// takeUpFirst takes up what a master that has died has left, before the program opens something in this one: it may be that.
func (l *loop) takeUpFirst() {
	if l.pool == nil && !l.sys.masters.Follows() {
		_, _ = l.takeUp() // Run says what of it can't be used
	}
}

// startAlone starts the pool of a master without a predecessor, or of one whose predecessor has
// died, and has left what it had to systemd.
func (l *loop) startAlone(err error) {
	if err != nil {
		l.startPool(err)
		return
	}
	left, err := l.takeUp()
	l.takeUp = recovery.Nothing // for a later Run
	if err != nil {
		l.log.Warn("rota: what the last master has left can't be used", "err", err)
	}
	if left == nil {
		l.forsake()
		l.startPool(nil)
		return
	}
	l.log.Info("rota: the last master has died, this one goes on with what it has left", "generation", left.Generation, "sockets", left.Sockets)
	l.continueFrom(left.State)
	l.after(unaskedAfter, func() { l.sockets.Released(0, l.isSteady()) })
	l.startFrom(left.Generation, left.Executable)
}
