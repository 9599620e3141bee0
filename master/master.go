// Package master owns a rota: the listening sockets, and the worker processes
// that serve from them. It is Node's cluster object in the master.
//
// A program that calls rota.Listen needs none of this. One that wants to run its
// own rota makes a [Master]; [Master.Fork] and its like are mechanism and manage
// nothing by themselves, [Master.Run] is the pool on top of them:
//
//	m, err := master.New(master.Config{Workers: 4})
//	if err != nil {
//		log.Fatal(err)
//	}
//	log.Fatal(m.Run(ctx)) // and m.Reload(ctx) from anywhere
//
// One goroutine owns everything that a Master knows. All methods may be called
// from any goroutine, and from event functions.
package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/reload"
)

// Config says how workers are started and kept. The zero value of every field
// means its default; a negative duration means none.
type Config struct {
	// Workers is how many workers Run keeps. Zero means 1.
	Workers int

	// Exec is the workers' executable. Empty means that of this process, looked up
	// at each reload by the name it was started with (argv[0], symbolic links not
	// resolved), so that a link moved to the next release is followed.
	Exec string
	// Args are the workers' arguments, without the name of the program. Nil means
	// those that this process was started with.
	Args []string
	// Dir is the workers' working directory. Empty means the one this process was
	// started in.
	Dir string
	// Env returns the workers' environment. It is called at each reload. Nil means
	// that of this process. What systemd and other supervisors told the master
	// (LISTEN_*, NOTIFY_SOCKET, WATCHDOG_*) is left out either way. If it panics, no
	// worker is started, and the panic is logged.
	Env func() []string
	// User is who the workers are: "user", "user:group", or both as numbers. Empty
	// means the master's own. Without a group it is the user's, with the user's
	// supplementary groups. The master stays what it is, and binds what only it may.
	User string
	// ExtraFiles are open files that every worker inherits: entry i becomes
	// descriptor 3+i. They stay the caller's. Never pass a listening socket here:
	// that turns it blocking in every process that has it.
	ExtraFiles []*os.File
	// Silent keeps the workers' standard output and error from this process's own:
	// they are read from (*Worker).Stdout and (*Worker).Stderr.
	Silent bool

	// Grace is how long a worker may drain. Zero means 30 s.
	Grace time.Duration
	// IdleGrace is how long an idle HTTP/1 connection of a draining worker is left
	// open for its next request. Zero means 5 s.
	IdleGrace time.Duration
	// KillAfter is how long a worker that has drained, or should have, may take to
	// end before SIGTERM, and again before SIGKILL. Zero means 5 s.
	KillAfter time.Duration

	// Surge is how many workers more than Workers may serve during a reload. Zero
	// means 1.
	Surge int
	// MinUptime is how long a new worker must have been ready before its
	// predecessor is disconnected. Zero means 1 s.
	MinUptime time.Duration
	// ReadyTimeout is how long a worker may take from its start to ready. Zero means
	// 60 s.
	ReadyTimeout time.Duration
	// WaitReady makes a worker ready when it calls worker.Self().Ready(), instead of
	// at its first Accept on every address that its predecessor served.
	WaitReady bool

	// MaxAge is how long a worker may serve before it is replaced, its successor ready
	// first, one worker at a time. Some are replaced up to a tenth earlier, so that not
	// all go together. Zero means for ever.
	MaxAge time.Duration
	// MaxMemory is how many bytes of memory (resident set) a worker may use before it is
	// replaced in the same way, some up to a tenth earlier. It is looked at once a
	// second, and a slot's successor is left alone for a minute. Zero means no limit.
	MaxMemory int64
	// HealthInterval is how often workers that have called worker.Self().OnHealth are
	// asked how they are, and how long they may take to answer. Zero means 10 s.
	HealthInterval time.Duration
	// HealthFailures is how many times in a row a worker may answer with an error, or
	// not at all, before it is replaced. Zero means 3.
	HealthFailures int

	// PIDFile gets this process's pid when the first workers are ready, and the new
	// master's after an upgrade. It is replaced as a whole, and removed at the end.
	// Empty means none.
	PIDFile string

	// Allow may refuse a worker a socket: its error becomes the worker's. It is
	// called on a goroutine of its own and may block. One that panics has refused, and is
	// logged. Nil allows everything.
	Allow func(w *Worker, network, address string) error

	// Logger gets the master's few lines. Nil means slog.Default().
	Logger *slog.Logger
}

// Address is a socket that a worker listens on, as the kernel knows it: the port
// is filled in.
type Address struct {
	Network string // as the worker asked: "tcp", "unix", …
	Address string // the IP address, or the path of a unix socket
	Port    int    // 0 for unix sockets
}

// Exit is how a worker ended: a signal or a code, not both.
type Exit struct {
	Code   int       // 0 where Signal or Err is set
	Signal os.Signal // nil unless a signal killed it
	Err    error     // the worker could not be started
}

func (x Exit) String() string {
	switch {
	case x.Err != nil:
		return x.Err.Error()
	case x.Signal != nil:
		return "signal: " + x.Signal.String()
	}
	return fmt.Sprintf("exit status %d", x.Code)
}

// Master is a rota. New makes one, Close ends it.
type Master struct {
	calls chan func(*loop)
	quit  chan struct{} // closed by Close
	done  chan struct{} // closed when the loop has ended

	events   *events
	quitOnce sync.Once
}

// New makes a master: it starts no process and opens no socket yet. It fails with
// errors.ErrUnsupported on a platform without support, with ErrWorker in a
// worker, and with a *ConfigError. From here on rota.Listen in this process is
// net.Listen: a server of the master's own.
func New(cfg Config) (*Master, error) {
	if err := allowed(); err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	link.SetMaster()
	sockets.ReadEnvironment() // before the program can change it
	descriptor.CloseListenersOnExec()
	return newMaster(cfg, system()), nil
}

func newMaster(cfg Config, s sys) *Master {
	m := &Master{
		calls:  make(chan func(*loop), 64),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
		events: newEvents(cfg.logger()),
	}
	go newLoop(m, cfg, s).run()
	return m
}

// Run keeps Config.Workers workers alive until ctx ends, then disconnects them and
// returns nil when all are gone. A worker that crashes is started again, with a
// back-off. If one dies before it was ever ready, all are stopped and Run returns a
// *StartError. A second Run at the same time fails with ErrRunning; after Close it
// fails with ErrClosed.
func (m *Master) Run(ctx context.Context) error {
	result := make(chan error, 1)
	err := m.ask(func(l *loop) error { return l.runPool(result) })
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	select {
	case <-ctx.Done():
		m.post(func(l *loop) { l.stopPool() })
		return m.wait(context.Background(), result)
	case err := <-result:
		return err
	case <-m.done:
		return first(result, ErrClosed)
	}
}

// Reload replaces the workers of Run one by one with workers of the executable and
// environment as they are now, and returns when that is done. Nothing
// is lost: see docs/architecture.md. One that is asked for during another waits for
// it, and all that wait are one. It is all or nothing: if a new worker fails, those
// already replaced come back and the error is a *reload.Error. If ctx ends first
// the reload goes on and the error is ctx's. Without Run it fails with
// ErrNotRunning.
func (m *Master) Reload(ctx context.Context) error {
	result := make(chan error, 1)
	if err := m.ask(func(l *loop) error { return l.reload(result) }); err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	err := m.wait(ctx, result)
	if failed := (*reload.Error)(nil); err == nil || errors.As(err, &failed) {
		return err // which says that it is one of a reload
	}
	return fmt.Errorf("reload: %w", err)
}

// Scale makes n workers of Run's, at least 1, and returns at once.
func (m *Master) Scale(n int) error {
	if n < 1 {
		return &ConfigError{Field: "Workers", Value: n, Want: "at least 1"}
	}
	return m.ask(func(l *loop) error { l.scale(n); return nil })
}

// Setup replaces the configuration for future forks and reloads, and sends the
// Setup event. Config.Workers is for the next Run; zero keeps the number, and so does
// a Setup while Run runs, where it is the business of Scale.
func (m *Master) Setup(cfg Config) error {
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	return m.ask(func(l *loop) error { l.setup(cfg); return nil })
}

// Settings returns a copy of the configuration that the next fork uses, without the
// defaults filled in.
func (m *Master) Settings() (cfg Config) {
	_ = m.ask(func(l *loop) error { cfg = l.cfg.clone(); return nil })
	return cfg
}

// Fork starts one worker, with env on top of Config.Env, and returns when the
// process runs. A worker that could not be started is returned too: its one event
// after Fork is Exit, with Exit.Err. The error is ErrClosed after Close.
func (m *Master) Fork(env map[string]string) (*Worker, error) {
	started := make(chan *Worker, 1)
	if err := m.ask(func(l *loop) error { return l.fork(env, started) }); err != nil {
		return nil, fmt.Errorf("fork: %w", err)
	}
	select {
	case w := <-started:
		return w, nil
	case <-m.done:
		return nil, fmt.Errorf("fork: %w", ErrClosed)
	}
}

// Workers returns the workers that are alive, by id.
func (m *Master) Workers() (all []*Worker) {
	_ = m.ask(func(l *loop) error { all = l.workers(); return nil })
	return all
}

// Worker returns the worker with this id if it is alive, or nil.
func (m *Master) Worker(id int) (w *Worker) {
	_ = m.ask(func(l *loop) error {
		if mb := l.members[id]; mb != nil && mb.alive() {
			w = mb.worker
		}
		return nil
	})
	return w
}

// Disconnect disconnects all workers, Run's too, and returns when all are gone, the
// functions of Events have been told so (see Worker.Exited), and the sockets are closed.
// Workers that are forked meanwhile are not waited for, and keep their sockets. If ctx
// ends first the workers go on leaving and the error is ctx's.
func (m *Master) Disconnect(ctx context.Context) error {
	result := make(chan error, 1)
	if err := m.ask(func(l *loop) error { l.disconnectAll(result); return nil }); err != nil {
		return nil // closed: nobody is left
	}
	return m.wait(ctx, result)
}

// Subscribe has the functions of e called for every worker, from here on: subscribe
// before the first Fork to miss nothing. Messages that nobody has subscribed to yet
// are kept for the first who does. See Events. After cancel no function of e begins
// any more.
func (m *Master) Subscribe(e Events) (cancel func()) { return m.events.subscribe(nil, e) }

// Close ends the master at once: workers are killed, sockets closed. It returns
// when all is gone. To leave gracefully, end Run's context or call Disconnect
// first.
func (m *Master) Close() error {
	m.quitOnce.Do(func() { close(m.quit) })
	<-m.done
	return nil
}

// post has f called by the loop, and reports whether it will be.
func (m *Master) post(f func(*loop)) bool {
	select {
	case <-m.done:
		return false
	default:
	}
	select {
	case m.calls <- f:
		return true
	case <-m.done:
		return false
	}
}

// ask has f called by the loop, and waits for its error.
func (m *Master) ask(f func(*loop) error) error {
	answer := make(chan error, 1)
	if !m.post(func(l *loop) { answer <- f(l) }) {
		return ErrClosed
	}
	select {
	case err := <-answer:
		return err
	case <-m.done:
		return first(answer, ErrClosed)
	}
}

// wait waits for a result that the loop sends, or for the end of ctx or m.
func (m *Master) wait(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-m.done:
		return first(result, ErrClosed)
	}
}

// first returns what is in c already, or otherwise.
func first(c <-chan error, otherwise error) error {
	select {
	case err := <-c:
		return err
	default:
		return otherwise
	}
}
