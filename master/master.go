// Package master owns the listening sockets of a rota and the worker processes that serve
// from them. It is Node's cluster object in the master; [New] and [Master.Setup] are
// cluster.setupMaster (setupPrimary), [Master.Fork] is cluster.fork, and [Master.Subscribe] is cluster.on.
//
// A program that calls rota.Listen doesn't need this package. A program that runs its own
// rota makes a [Master]. Fork starts single workers and manages nothing; [Master.Run] keeps
// a number of workers alive:
//
//	m, err := master.New(master.Config{Workers: 4})
//	if err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(m.Run(ctx)) // and m.Reload(ctx) from anywhere
//
// One goroutine owns the state of a Master. All methods may be called from any goroutine,
// and from the functions of [Events].
package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logqueue"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/newest"
	"github.com/rota-go/rota/internal/served"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// Address is the address of a socket that a worker listens on, as the kernel reports it:
// with the real port.
type Address struct {
	Network string // as the worker asked: "tcp", "unix", …
	Address string // the IP address, or the path of a unix socket
	Port    int    // 0 for unix sockets
}

// Exit says how a worker ended.
type Exit = status.Exit

// Master is the master of a rota. New makes one, Close ends it.
type Master struct {
	loop   *mailbox.Mailbox[*loop]
	events *events
	log    *slog.Logger // of logqueue: it never blocks

	statuses *newest.Source[status.Status]

	last served.Last // how it served when a new master had taken over

	quit     chan struct{} // closed by Close
	quitOnce sync.Once
}

// New makes a master. It starts no process and opens no socket. It fails with
// errors.ErrUnsupported on a platform without support, with ErrWorker in a worker, and with
// a *ConfigError. From then on rota.Listen is net.Listen in this process, for servers of the
// master's own.
func New(cfg Config) (*Master, error) {
	err := cfg.Validate()
	switch {
	case !link.Supported:
		err = errors.ErrUnsupported
	case link.IsWorker():
		err = ErrWorker
	}
	if err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	link.SetMaster()
	sockets.ReadEnvironment() // before the program can change it
	descriptor.CloseListenersOnExec()
	return newMaster(cfg, system()), nil
}

func newMaster(cfg Config, s sys) *Master {
	m := &Master{loop: mailbox.New[*loop](ErrClosed), quit: make(chan struct{}), log: logqueue.New(cfg.logger())}
	m.events = newEvents(m.log)
	m.statuses = &newest.Source[status.Status]{Get: m.ask, Equal: status.Status.Equal, Done: m.loop.Done()}
	go newLoop(m, cfg, s).run()
	return m
}

// Run keeps Config.Workers workers alive until ctx ends. Then it disconnects them, after Config.StopDelay, and
// returns nil when all have ended, or two seconds after SIGKILL for those that the kernel can't end. A worker that
// crashes is started again, with a back-off. If the first start fails, all workers are stopped and Run returns a
// *StartError. While Run runs, another Run fails with ErrRunning; after Close it fails with ErrClosed.
func (m *Master) Run(ctx context.Context) error {
	result := make(chan error, 1)
	err := m.loop.Ask(func(l *loop) error { return l.runPool(result) })
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { m.loop.Post((*loop).leave) })
	defer stop()
	defer logqueue.Flush(m.log, logTimeout)
	defer m.last.Await()
	return m.loop.Wait(context.Background(), result)
}

// Stop tells Run to stop, as the end of its context does, and returns at once. Called again, it
// ends what the stop waits for: first Config.StopDelay, and then the grace of all workers, which
// close their connections and leave. Without Run it does nothing. The error is ErrClosed after Close.
func (m *Master) Stop() error {
	return m.loop.Ask(func(l *loop) error { l.stop(); return nil })
}

// Reload replaces the workers of Run one by one by workers with the executable and environment of now, and returns
// when all are replaced. No connection is refused or cut; docs/architecture.md says why. A Reload during a reload
// waits for it; all that wait are one reload. If workers of the one under way seem to hang, that one fails with
// reload.ErrSuperseded. A Reload also waits while many workers drain (Config.MaxDraining).
//
// Reload is all or nothing: if a new worker fails, slots that were replaced get workers of the previous generation
// again, and the error is a *reload.Error. If ctx ends first, the reload continues and the error is ctx's. If an
// upgrade that it waits for succeeds, the new master does it, and the error is reload.ErrLeft. Without Run it
// fails with ErrNotRunning, and with ErrStopping when Run has been told to stop.
func (m *Master) Reload(ctx context.Context) error {
	return m.reload(ctx, nil)
}

// ReloadCanary is Reload with n canaries that are tried for d, whatever Config.Canary and CanaryTime are; with 0
// n is none and d is Config.CanaryTime. Of several reloads that wait, which are one, the last of ReloadCanary
// says how that is tried. It fails with a *ConfigError too.
func (m *Master) ReloadCanary(ctx context.Context, n int, d time.Duration) error {
	if err := (Config{Canary: n, CanaryTime: d}).Validate(); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	return m.reload(ctx, &reload.Trial{Canary: n, Time: d})
}

func (m *Master) reload(ctx context.Context, t *reload.Trial) error {
	return m.rollOut(ctx, "reload", func(l *loop, by string, result chan error) error { return l.reload(by, t, result) })
}

// Rollback is a Reload to the release that the last one has replaced: to its executable, which was kept
// open and may have been removed, with its configuration and environment. A second Rollback returns
// to the release that the first has left. It doesn't wait for its turn: while another change is
// under way or waits, it fails with ErrBusy. After an upgrade of the master the
// release before is the last one of the old master whose executable was another, and it gets the new master's configuration
// and environment. Rollback fails with ErrNoRelease if there has been no other release, or if its executable is a script or
// can't be read, which can't be kept open.
func (m *Master) Rollback(ctx context.Context) error {
	return m.rollOut(ctx, "rollback", (*loop).rollback)
}

// Promote ends the time that the canaries of the reload under way are tried for (Config.Canary): it
// goes on when they have been ready for MinUptime. It returns at once, and fails with ErrNoReload. What is
// decided while the reload is being prepared holds as soon as it replaces workers.
// status.By says who asks.
func (m *Master) Promote(ctx context.Context) error {
	return m.decide(ctx, "promoted", func(l *loop) { l.pool.goal.Promoted = true })
}

// Abort has the reload under way rolled back, as Promote: it fails with reload.ErrAborted.
func (m *Master) Abort(ctx context.Context) error {
	return m.decide(ctx, "aborted", func(l *loop) { l.pool.goal.Aborted = true })
}

// Pause has the reload under way stay where it is, as Promote, until Resume or Abort: no worker is replaced, and
// the time that canaries are tried for stands still. What fails a reload fails it in a pause too, and a
// reload that is requested waits.
func (m *Master) Pause(ctx context.Context) error {
	return m.decide(ctx, "paused", func(l *loop) { l.pool.goal = l.pool.goal.Pause(time.Now()) })
}

// Resume ends a Pause, as Promote. Without one it changes nothing.
func (m *Master) Resume(ctx context.Context) error {
	return m.decide(ctx, "resumed", func(l *loop) { l.pool.goal = l.pool.goal.Resume(child.Members(l.patients()), time.Now()) })
}

func (m *Master) decide(ctx context.Context, what string, set func(*loop)) error {
	return m.loop.Ask(func(l *loop) error {
		if !l.state.Phase().Reloading() {
			return ErrNoReload
		}
		l.log.Info("rota: reload decided by hand", "generation", l.lastGen, "what", what, "by", status.Caller(ctx))
		set(l)
		return nil
	})
}

// rollOut asks for a rollout, and waits for its end.
func (m *Master) rollOut(ctx context.Context, name string, ask func(l *loop, by string, result chan error) error) error {
	result := make(chan error, 1)
	err := m.loop.Ask(func(l *loop) error { return ask(l, status.Caller(ctx), result) })
	if err == nil {
		err = m.loop.Wait(ctx, result)
	}
	if failed := (*reload.Error)(nil); err == nil || errors.As(err, &failed) {
		return err // its text begins with "reload" already
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Upgrade replaces this process by a new one of the program's executable as it is now (argv[0], symbolic links not
// resolved), with the arguments of this process's start and its environment. The new master gets every socket, the
// number of workers, the generation and the slots, and starts workers of its own. When they are ready, this master
// disconnects its workers, and Run returns nil when they have left. Upgrade returns nil as soon as the new master has
// taken over.
//
// An upgrade is all or nothing: if the new master or one of its workers fails, this master goes on unchanged, and the
// error is an *UpgradeError. An upgrade waits for a reload under way, and for a predecessor of this master that still
// drains its workers. Upgrade during an upgrade waits for that one. If ctx ends first the upgrade goes on and the
// error is ctx's. As PID 1 it fails with ErrPID1, without Run with ErrNotRunning.
func (m *Master) Upgrade(ctx context.Context) error {
	result := make(chan error, 1)
	if err := m.loop.Ask(func(l *loop) error { return l.requestUpgrade(status.Caller(ctx), result) }); err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	return m.loop.Wait(ctx, result)
}

// Scale sets the number of workers that Run keeps, at least 1, and returns at once. It
// fails with a *ConfigError, and with ErrClosed after Close.
func (m *Master) Scale(n int) error { return m.ScaleContext(context.Background(), n) }

// ScaleContext is Scale; with status.By, ctx says who asks.
func (m *Master) ScaleContext(ctx context.Context, n int) error {
	if n < 1 {
		return &ConfigError{Field: "Workers", Value: n, Want: "at least 1"}
	}
	return m.loop.Ask(func(l *loop) error { l.book.Scaled(n, time.Now(), status.Caller(ctx)); l.scale(n); return nil })
}

// Setup replaces the configuration for future forks and reloads, and emits the Setup event. Config.Workers is for the
// next Run: zero keeps the number. While Run runs, Setup doesn't change the number of workers; Scale does. It fails
// with a *ConfigError, and with ErrClosed after Close.
func (m *Master) Setup(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	return m.loop.Ask(func(l *loop) error { l.setup(cfg); return nil })
}

// Settings returns a copy of the configuration that the next fork uses. Defaults are not
// filled in. It is Node's cluster.settings.
func (m *Master) Settings() (cfg Config) {
	_ = m.loop.Ask(func(l *loop) error { cfg = l.cfg.clone(); return nil })
	return cfg
}

// Fork starts one worker, with env added to Config.Env, and returns when its process has
// been started. A worker that could not be started is returned too: its only event after
// Fork is Exit, with Exit.Err. Fork fails only with ErrClosed, after Close.
func (m *Master) Fork(env map[string]string) (*Worker, error) {
	var w *Worker
	started := make(chan error, 1)
	err := m.loop.Ask(func(l *loop) error {
		return l.fork(env, func(forked *Worker) { w = forked; started <- nil })
	})
	if err == nil {
		err = m.loop.Wait(context.Background(), started)
	}
	if err != nil {
		return nil, fmt.Errorf("fork: %w", err)
	}
	return w, nil
}

// Workers returns the workers that are alive, in the order of their ids.
func (m *Master) Workers() (all []*Worker) {
	_ = m.loop.Ask(func(l *loop) error { all = l.workers(); return nil })
	return all
}

// Worker returns the worker with this id, or nil if it isn't alive.
func (m *Master) Worker(id int) *Worker {
	all := m.Workers()
	if i := slices.IndexFunc(all, func(w *Worker) bool { return w.id == id }); i >= 0 {
		return all[i]
	}
	return nil
}

// Signal sends a signal to all workers, during an upgrade also to those of the new master, if that has this method.
// A worker that is not online yet gets it when it is: before, it could die of it. It fails with ErrClosed.
func (m *Master) Signal(s os.Signal) error {
	return m.loop.Ask(func(l *loop) error { l.signal(s); return nil })
}

// Disconnect disconnects all workers, those of Run too, and returns when all have ended, the functions of Events have
// been called (see Worker.Exited), and the sockets are closed. It doesn't wait for workers that are forked meanwhile;
// they keep their sockets. If ctx ends first, the workers continue to drain and the error is ctx's. It is Node's
// cluster.disconnect.
func (m *Master) Disconnect(ctx context.Context) error {
	result := make(chan error, 1)
	if err := m.loop.Ask(func(l *loop) error { l.disconnectAll(result); return nil }); err != nil {
		return nil // closed: no worker is left
	}
	return m.loop.Wait(ctx, result)
}

// Subscribe has the functions of e called for every worker, from now on: subscribe before the first Fork or Run to get all
// events. Messages that nobody has subscribed to are kept for the first subscriber. After cancel no function of e begins
// any more. See [Events].
func (m *Master) Subscribe(e Events) (cancel func()) { return m.events.Subscribe(nil, e) }

// logTimeout is how long the end of a master waits for its last log lines to be written.
const logTimeout = 200 * time.Millisecond

// Close ends the master at once: it kills the workers and closes the sockets, and returns when all have ended. It
// takes at most a second: functions of Config that don't return, name servers and file systems that don't answer, and
// workers that the kernel can't end are left behind; when they return, their results are released. To stop
// gracefully, end Run's context or call Disconnect first.
func (m *Master) Close() error {
	m.quitOnce.Do(func() { close(m.quit) })
	<-m.loop.Done()
	logqueue.Flush(m.log, logTimeout)
	return nil
}
