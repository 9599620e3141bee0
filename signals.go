package rota

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rota-go/rota/internal/hangup"
	"github.com/rota-go/rota/internal/lifeline"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logqueue"
	"github.com/rota-go/rota/internal/terminal"
	"github.com/rota-go/rota/internal/workerproc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// logTimeout is how long the end of the process waits for its last log lines to be written.
const logTimeout = 200 * time.Millisecond

// signalHandler turns signals into calls on a master.
type signalHandler struct {
	m          *master.Master
	log        *slog.Logger
	stop       context.CancelFunc // graceful
	interrupts atomic.Int32

	terminal   *terminal.Terminal // nil: there is none
	outlives   bool               // SIGHUP was ignored at the start: the server is to outlive the terminal
	background bool               // of handle: this process is a background job of the terminal
}

// newSignalHandler returns a handler for m. Its fields are set before the first worker is started.
func newSignalHandler(m *master.Master, log *slog.Logger, stop context.CancelFunc) *signalHandler {
	h := &signalHandler{m: m, log: log, stop: stop}
	h.terminal, h.outlives = terminal.Open(), hangup.Ignored() || slices.ContainsFunc(hangups(), signal.Ignored)
	return h
}

// runMaster runs the master that Listen has made, handles the signals of the table, and returns
// the exit status of the process when the master has ended. The handlers, and what the program
// has passed to OnMaster, are there before the first worker is started.
func runMaster(m *master.Master, cfg master.Config) (status int) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signal.Reset(masterSignals()...) // of main, if it has run
	h := newSignalHandler(m, logger(cfg), stop)
	h.begin() // to the end of the process: a signal that comes last doesn't change its status
	callOnMaster(m)
	err := m.Run(ctx)
	if err != nil {
		h.log.Error("rota: master ends", "err", err)
	}
	_ = m.Close() // writes the log
	logqueue.Flush(h.log, logTimeout)
	if h.interrupts.Load() > 1 {
		return 130 // what a shell says of a Ctrl-C
	}
	return exitStatus(err)
}

// begin has signals handled until end is called.
func (h *signalHandler) begin() (end func()) {
	signals, done, ended := make(chan os.Signal, 64), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, masterSignals()...)
	if hangup.Take() { // while the process started
		signals <- hangups()[0]
	}
	h.followJobControl(signals)
	go func() {
		defer close(ended)
		h.handle(signals, done)
	}()
	unwatch := lifeline.Watch(os.Getenv(link.EnvKeeper), h.keeperGone)
	return func() {
		unwatch()
		close(done)
		<-ended
		h.giveBack(signals)
		h.terminal.Close()
	}
}

// giveBack makes signals do what they did before.
func (h *signalHandler) giveBack(signals chan<- os.Signal) {
	signal.Stop(signals)
	if h.background {
		signal.Reset(jobSignals()...)
	}
}

func (h *signalHandler) handle(signals chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			h.followJobControl(signals)
			if act := actions[s]; act != nil {
				act(h)
			}
		case <-done:
			return
		}
	}
}

// followJobControl ignores SIGTTIN and SIGTTOU as long as this process is a background job of
// its terminal. The kernel sends them there for each read and write, and repeats the call
// when they were handled, without end. If they are ignored, a read fails and a write goes
// through. It is called at each signal: SIGCONT is one of them.
func (h *signalHandler) followJobControl(signals chan<- os.Signal) {
	was := h.background
	h.background = h.terminal.InBackground()
	switch {
	case h.background && !was:
		signal.Ignore(jobSignals()...)
		h.log.Info("rota: in the background of a terminal, where TTIN and TTOU don't scale")
	case !h.background && was:
		signal.Notify(signals, jobSignals()...)
	}
}

// hangup reloads, unless the signal is about the terminal, which was closed. That ends the
// server as it ends any program, but gracefully; or changes nothing, if it was started by
// nohup.
func (h *signalHandler) hangup() {
	switch {
	case !h.terminal.JustClosed():
		h.reload()
	case h.outlives:
		h.log.Info("rota: terminal closed, the server goes on")
	default:
		h.log.Info("rota: terminal closed, the server stops")
		h.stop()
	}
}

// keeperGone stops: a master that nobody keeps would be in the way of the next start.
func (h *signalHandler) keeperGone() {
	h.log.Warn("rota: the keeper has ended, the server stops")
	h.stop()
}

func (h *signalHandler) reload() {
	go func() {
		err := h.m.Reload(by("HUP"))
		var failed *reload.Error // logged by the master, and the end of one that is left to the new master by that
		if err != nil && !errors.As(err, &failed) && !errors.Is(err, reload.ErrLeft) {
			h.log.Error("rota: no reload", "err", err)
		}
	}()
}

func (h *signalHandler) upgrade() {
	go func() {
		err := h.m.Upgrade(by("USR2"))
		var failed *master.UpgradeError // logged by the master
		if err != nil && !errors.As(err, &failed) {
			h.log.Error("rota: no upgrade", "err", err)
		}
	}()
}

// terminate is the next step of a stop, whoever has begun it. The first one ends a Run too that has not begun.
func (h *signalHandler) terminate() {
	_ = h.m.Stop() // fails if the master has ended
	h.stop()
}

// interrupt is terminate the first time, and stops at once the second time.
func (h *signalHandler) interrupt() {
	if h.interrupts.Add(1) == 1 {
		h.terminate()
		return
	}
	_ = h.m.Close()
}

// scale adds n workers, unless the signal is the terminal's.
func (h *signalHandler) scale(n int) {
	if h.background {
		return
	}
	workers := max(h.m.Settings().Workers, 1) + n
	if workers < 1 {
		return
	}
	name := "TTIN"
	if n < 0 {
		name = "TTOU"
	}
	if err := h.m.ScaleContext(by(name), workers); err == nil {
		h.log.Info("rota: scale", "workers", workers)
	}
}

// by returns a context that says which signal asks for a change.
func by(signal string) context.Context {
	return status.By(context.Background(), "signal "+signal)
}

// A worker that is starting must survive SIGHUP too.
func init() {
	if link.IsWorker() {
		keepRunning(hangups())
		hangup.Take() // nobody reloads here
	}
}

// keepRunning stops the given signals from ending this process, for its whole life.
// signal.Ignore would do that too, but the children of this process would inherit it.
func keepRunning(signals []os.Signal) {
	if len(signals) > 0 { // with none, Notify would mean all signals
		signal.Notify(make(chan os.Signal, 1), signals...) // nobody receives: Notify drops them
	}
}

// handleWorkerSignals makes SIGTERM disconnect the worker, whoever sends it. When the
// worker has drained, SIGTERM ends the process again, unless the program has a handler of
// its own. SIGHUP does nothing, from the initialisation of this package on: it is for the
// master, but "pkill -HUP" sends it to the workers too.
func handleWorkerSignals(w *workerproc.Worker) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, workerSignals()...)
	keepRunning(hangups()) // main may have called signal.Reset
	go func() {
		defer signal.Stop(signals)
		for termed := false; ; termed = true {
			select {
			case <-signals:
				_ = w.Disconnect() // fails if it has disconnected already
			case <-w.Done():
				if !termed {
					endWaitingMain(signals)
				}
				return
			}
		}
	}()
}

// endWaitingMain sends this process the signal that a main with graceful shutdown of its own
// waits for. The worker has drained, and the master would send it after Config.KillAfter. A main without such a handler doesn't notice, because signals is
// still a handler; it may be busy with what it does after Accept has failed.
func endWaitingMain(signals chan os.Signal) {
	signal.Notify(signals, workerSignals()...) // main may have called signal.Reset
	for _, s := range workerSignals() {
		if signalSelf(s) != nil {
			return
		}
		select { // package os/signal gives it to all handlers at a time
		case <-signals:
		case <-time.After(time.Second): // main ignores it
		}
	}
}
