package master

import (
	"context"
	"log/slog"
	"time"

	"github.com/rota-go/rota/internal/balance"
	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/controlserver"
	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/history"
	"github.com/rota-go/rota/internal/judge"
	"github.com/rota-go/rota/internal/lease"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/recovery"
	"github.com/rota-go/rota/internal/sdnotify"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/tickets"
	"github.com/rota-go/rota/internal/view"
	"github.com/rota-go/rota/reload"
)

// loop owns the state of a master. Its methods run on its goroutine and never block:
// what takes time runs on another goroutine, by work, which sends its result back.
type loop struct {
	m      *Master
	sys    sys
	log    *slog.Logger
	lines  logline.Worker // to log
	cfg    Config         // for future forks
	ctx    context.Context
	cancel context.CancelFunc

	state   reload.State // the phase, and the changes that wait; begin and on set it
	members child.ByID[*member]
	rota    *reload.Rota // the members of Run; changed tells it what becomes of them
	leaving *reload.Rota // Fork's workers that leave
	moves   child.Moves  // of their connections
	lastID  int          // of a worker
	sockets *sockets.Server
	leases  *lease.Desk
	tickets tickets.Keys // of TLS session tickets
	shared  sharedfile.Table
	pool    *pool // nil unless the phase is one of a Run
	lastGen int   // the number of the latest generation

	upgrade  *upgrade  // asked for, or under way
	takeover *takeover // in a successor that has not taken over yet
	scaled   bool      // cfg.Workers was changed by Scale
	failed   error     // of the last reload or upgrade; nil if it has succeeded
	book     history.Book
	counts   child.Counts // of connections, by the workers
	teller   *view.Teller
	systemd  *sdnotify.Notifier
	store    recovery.Store
	takeUp   func() (*recovery.Left, error) // what a master that has died has left to this one
	files    *mailbox.Turns                 // calls on file systems
	pidFile  process.PIDFile
	control  controlserver.Server

	disconnects child.Waits   // calls of Disconnect
	finished    bool          // finish was called
	timer       mailbox.Alarm // when to reconcile again
	garbage     child.Garbage // what reloads leave behind
	care        child.Care    // of the workers
	balancer    balance.Balancer
	trial       judge.Trial // of canaries
	isSetUp     bool        // the Setup event was emitted
}

func newLoop(m *Master, cfg Config, s sys) *loop {
	l := &loop{m: m, sys: s, log: m.log, lines: logline.Worker{Logger: m.log}, cfg: cfg.clone(), book: history.New(), rota: reload.NewRota(0), leaving: reload.NewRota(0)}
	l.files = &mailbox.Turns{Work: l.work}
	l.pidFile = process.PIDFile{Turns: l.files, Failed: func(err error) { l.log.Error("rota: PID file can't be written", "err", err) }}
	l.sockets, l.leases = l.socketServer(process.Processors()), l.leaseDesk()
	l.control = controlserver.Server{Master: m, Turns: l.files, Failed: func(err error) { l.log.Warn("rota: no control socket", "err", err) }}
	l.tickets = tickets.Keys{After: l.after, Changed: l.sendTickets}
	l.tickets.Set(cfg.TicketKeys)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.teller = view.NewTeller(l.ctx, m.Count, l.work)
	l.timer, l.moves = mailbox.NewAlarm(), child.Moves{Lines: l.lines}
	l.systemd = sdnotify.New(l.log)
	l.store = recovery.Store{Sockets: l.sockets.Table, Shared: &l.shared, Leases: l.leases, Keeper: fdstore.Keeper{Send: l.systemd.SendWith, Sent: l.whenSystemdHasRead}}
	l.takeUp = l.store.Once(s.kept)
	l.care = child.Care{
		Work: l.work, After: l.after, Lines: l.lines, Patients: l.patients, Resident: s.residentBytes, Reap: s.reap, Replaced: l.book.Replaced,
	}
	l.balancer = balance.Balancer{After: l.after, Serving: l.isServing, Workers: l.balanced, Every: cfg.Rebalance, Processors: process.Processors(), Canaries: cfg.Canary}
	l.trial = judge.Trial{After: l.after, Ask: func() { l.askCounters() }, Workers: l.onTrial, Worse: func(id int, err error) {
		m := l.members.Get(id)
		m.Fault = err
		l.changed(m)
	}, Unjudged: func(n, of int64) { logline.Rollout{Logger: l.log}.Unjudged(l.pool.goal.Generation, n, of) }}
	l.garbage = child.Garbage{Work: l.work, After: l.after, Release: s.releaseMemory}
	return l
}

// closeTimeout is how long Close waits for what doesn't return: functions of Config, name
// servers, file systems, processes that the kernel can't kill.
const closeTimeout = 700 * time.Millisecond

// run handles calls until Close was called and no goroutine of work is left. Close waits for
// them no longer than closeTimeout. Their results are taken, and released, all the same.
func (l *loop) run() {
	quit := l.m.quit
	for !l.isOver() {
		select {
		case f := <-l.m.loop.Calls():
			f(l)
		case <-l.timer.C:
		case <-quit:
			quit = nil
			l.closeNow()
		}
		l.reconcile()
	}
	l.finish()
	l.timer.Stop()
	l.m.loop.End()
}

// isOver reports whether the master is closed, and nothing of it is left.
func (l *loop) isOver() bool {
	if l.state.Closing() && l.m.loop.Working() == 0 {
		l.sockets.Close() // its files are unlinked on other goroutines
	}
	return l.state.Closing() && l.m.loop.Working() == 0
}

// closeNow is Close: it kills all workers, and a successor.
func (l *loop) closeNow() {
	l.begin(reload.ChangeClose)
	l.killAll()
	l.abandonUpgrade(true)
	l.cancel()
	l.after(closeTimeout, l.finish)
}

// finish answers all who wait for the master's end.
func (l *loop) finish() {
	if l.finished {
		return
	}
	l.finished = true
	if l.pool != nil {
		l.finishPool(ErrClosed)
	}
	l.sockets.CloseAll()
	l.leases.Close()
	l.tickets.Stop()
	l.shared.Close()
	l.systemd.Close()
	l.m.events.Close()
	l.m.loop.Close()
}

// work runs f on another goroutine. The loop calls what f returns.
func (l *loop) work(f func() func()) { l.m.loop.Work(f) }

// after has the loop call f after d.
func (l *loop) after(d time.Duration, f func()) (stop func()) { return l.m.loop.After(d, f) }

// begin asks for a change. If the answer is Begins, the caller carries the change out.
func (l *loop) begin(c reload.Change) (answer reload.Answer) {
	l.state, answer = l.state.Begin(c)
	return answer
}

// on reports an event to the state. When the phase is none of a Run any more, the pool is
// finished. An event that comes too late for its phase changes nothing.
func (l *loop) on(e reload.Event) {
	l.state, _ = l.state.On(e)
	if phase := l.state.Phase(); l.pool != nil && !phase.Running() && !phase.Stopping() {
		l.finishPool(nil)
	}
}

// beginWaiting begins the changes that have waited and may begin now.
func (l *loop) beginWaiting() {
	if l.state.Waiting(reload.ChangeReload) {
		l.crowd()
	}
	for c, ok := l.state.NextChange(); ok; c, ok = l.state.NextChange() {
		l.begin(c)
		switch c {
		case reload.ChangeReload:
			l.startReload()
		case reload.ChangeUpgrade:
			l.startUpgrade()
		}
	}
}

// refusals are the errors of changes that are refused.
var refusals = map[reload.Answer]error{
	reload.NotRunning: ErrNotRunning, reload.Running: ErrRunning, reload.Ending: ErrStopping, reload.Closed: ErrClosed,
}
