package master

import (
	"cmp"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/internal/settings"
	"github.com/rota-go/rota/reload"
)

// The durations of Config that are no length of time. Each field says which of them it may be.
const (
	// AtOnce means none, and so at once. Any negative duration does.
	AtOnce time.Duration = -1
	// NoLimit means that there is no limit: what the field bounds never happens because of time.
	NoLimit = reload.NoLimit
)

// Config says how workers are started and kept. The zero value of every field means its default. A number that has no
// limit is math.MaxInt (MaxMemory: math.MaxInt64); a negative number is invalid.
//
// With rota.Listen, environment variables set the fields that rota.Setup leaves zero: docs/operations.md lists them.
type Config struct {
	// Workers is how many workers Run keeps. Zero means 1. With "auto" in the environment there is one for each processor,
	// and each gets its share of them as GOMAXPROCS, unless that is set.
	Workers int

	// Exec is the workers' executable. Empty means that of this process, looked up at each reload by the name it was started
	// with (argv[0], symbolic links not resolved), so that a link moved to the next release is followed.
	Exec string
	// Args are the workers' arguments, without the name of the program. Nil means those that this process was started with.
	Args []string
	// Dir is the workers' working directory. Empty means the one this process was started in.
	Dir string
	// Env returns the workers' environment. It is called at each reload. Nil means the environment of this process. The
	// variables that systemd and other supervisors set for the master (LISTEN_*, NOTIFY_SOCKET, WATCHDOG_*) are removed
	// either way. If Env panics, no worker is started, and the panic is logged.
	Env func() []string
	// User is the user that workers run as: "user" or "user:group", by name or number. Empty means the master's own. Without
	// a group, workers get the user's group and supplementary groups. HOME, USER and LOGNAME become the user's; without Env
	// the rest of the environment is the master's, secrets included. Workers have none of the master's capabilities then,
	// and NoNewPrivs. The master can bind what their user may not.
	User string
	// NoNewPrivs keeps workers, and all that they start, from gaining privileges by executing a set-uid file or one with
	// capabilities (PR_SET_NO_NEW_PRIVS). User implies it.
	NoNewPrivs bool
	// ExtraFiles are open files that every worker inherits: entry i becomes descriptor 3+i. They remain the caller's. Never
	// pass a listening socket here: that makes it blocking in every process that has it.
	ExtraFiles []*os.File
	// Stdin gives every worker this process's standard input, which they share: each byte is read by one of them. Otherwise
	// a worker's standard input is at its end (/dev/null).
	Stdin bool
	// Silent sends the workers' standard output and error to (*Worker).Stdout and (*Worker).Stderr instead of to this
	// process's own.
	Silent bool

	// Grace is how long a worker may drain that a reload or another worker replaces. Zero means 30 s, AtOnce none, NoLimit
	// that it may take as long as its connections do.
	Grace time.Duration
	// StopGrace is how long a worker may drain when the master stops. One that drains already keeps its end if that is
	// earlier. Zero means Grace; AtOnce and NoLimit as there.
	StopGrace time.Duration
	// StopDelay is how long a master that is told to stop serves and accepts on before the stop begins, so that load
	// balancers notice. It refuses reloads and upgrades meanwhile. It doesn't apply to Disconnect, nor before the first
	// workers are ready. Zero and AtOnce mean none. See [Master.Stop].
	StopDelay time.Duration
	// IdleGrace is how long an idle HTTP/1 connection of a draining worker is left open for its next request. Zero means
	// 5 s, AtOnce none, NoLimit until the grace ends.
	IdleGrace time.Duration
	// KillAfter is how long a worker may take to end after it has drained, or after its grace, before it gets SIGTERM, and
	// then again before SIGKILL. Zero means 5 s, AtOnce that it gets both at once, NoLimit that it gets none.
	KillAfter time.Duration

	// Surge is how many workers more than Workers may serve during a reload. Zero means 1.
	Surge int
	// Canary is how many workers of a new release a reload starts first. They serve beside the old ones for CanaryTime; then
	// the reload goes on, or is rolled back if one of them has died or failed its health checks. At most so many workers
	// more than Workers serve meanwhile. Zero means none. See [Master.Promote] and [Master.Abort].
	Canary int
	// CanaryTime is how long canaries are tried after they became ready, if that is longer than MinUptime. Zero means 1
	// minute, NoLimit until Promote or Abort.
	CanaryTime time.Duration
	// CanaryRequests is how many HTTP requests the canaries must have answered, together, before they are judged:
	// the reload is rolled back if more than 5 % of them have failed, and more than twice the share that has failed
	// of those that the old workers have answered meanwhile. Package rotahttp counts them: a request has failed if it
	// was answered with a status of 5xx. Zero means 100, math.MaxInt that canaries aren't judged.
	CanaryRequests int
	// MinUptime is how long a new worker must have been ready before its predecessor is disconnected. Zero means 1 s, AtOnce none.
	MinUptime time.Duration
	// ReadyTimeout is how long a worker may take from its start to ready. Zero means 60 s, NoLimit as long as it needs.
	// Where nobody else serves, as at the first start and after a crash, there is no limit. See [reload.Policy] for an
	// address that a new release has dropped.
	ReadyTimeout time.Duration
	// WaitReady makes a worker ready only when it calls worker.Self().Ready(), and not at
	// its first Accept on every address that its predecessor served.
	WaitReady bool

	// MaxDraining is how many workers may drain before a reload, or the replacement of a worker because of its age, memory
	// or health, waits until some have ended. Zero means 4 × Workers and at least 16.
	MaxDraining int

	// MinBackoff is how long after its end a worker that has crashed is started again. Every further crash in a row of a
	// slot makes that 1.5 times longer, up to MaxBackoff. Zero means 100 ms, AtOnce none.
	MinBackoff time.Duration
	// MaxBackoff is the longest time until a crashed worker is started again. It may not be less than MinBackoff. Zero means
	// 30 s, or MinBackoff if that is longer, NoLimit that it may grow without end.
	MaxBackoff time.Duration

	// MaxAge is how long a worker may serve before it is replaced, its successor ready first, one worker at a time. Some are
	// replaced up to a tenth earlier, so that not all are due together. Zero and NoLimit mean that there is no limit.
	MaxAge time.Duration
	// MaxRequests is how many requests a worker may serve before it is replaced in the same way, some up to a tenth
	// earlier. With package rotahttp these are HTTP requests whose handler has returned. A worker that doesn't
	// use it counts connections that it has accepted, whatever is requested on them; those that have
	// moved to it from another worker, and datagrams, don't count. Zero means no limit.
	MaxRequests int
	// MaxMemory is how many bytes of memory (resident set) a worker may use before it is replaced in the same way, some up
	// to a tenth earlier. It is checked once a second, but not for a minute after a worker of the slot was replaced for it.
	// Workers get a GOMEMLIMIT of nine tenths of it, if their environment has none. Zero means no limit.
	MaxMemory int64
	// HealthInterval is how often workers that have called worker.Self().OnHealth are asked for their health, and how long
	// they may take to answer. Zero means 10 s, NoLimit never.
	HealthInterval time.Duration
	// HealthFailures is how many times in a row a worker may answer with an error, or
	// not at all, before it is replaced. Zero means 3.
	HealthFailures int

	// RunMain keeps the master of rota.Listen in the process that has run main, with all
	// that main has begun. Without it that process executes its program again, and main
	// doesn't run in the master. Env, Allow, Logger and rota.OnMaster, which are functions, imply it.
	RunMain bool

	// Rebalance is how often the workers are compared by the connections that they have open. Where one has over 1.2 times as many as another,
	// HTTP/1 connections move between two requests, at a pace; a few that are busy move to as many workers as there are processors
	// (docs/decisions/0065). With over 100 workers it is 10 ms times their number at least. Setup changes it at once. Zero means 1 s, NoLimit never.
	Rebalance time.Duration

	// PIDFile is the path of a file for this process's pid, written when the first workers are ready. It is replaced atomically,
	// and removed at the end. After an upgrade it holds the new master's pid, or is removed if that has another PIDFile, or none.
	// Empty means none.
	PIDFile string

	// Control is the absolute path of a unix socket by which the command rota shows and controls this master
	// (docs/control.md): only root and this process's user, mode 0600. It is there while Run runs, and the new master's
	// after an upgrade. If it can't be made, one line says so and the master goes on without. Empty means none, and for the
	// master of rota.Listen ROTA_CONTROL, or else rota.sock in the directory that systemd has made for the service
	// (RuntimeDirectory=); there, "off" means none.
	Control string

	// TicketKeys are the keys of TLS session tickets, the first for new tickets, for a fleet
	// whose machines share them. Without any, the master makes a key of its own each day, keeps
	// those of the last week in memory, and passes them on in an upgrade. See
	// worker.Worker.OnTicketKeys.
	TicketKeys [][32]byte

	// Sockets are sockets that workers with a User may ask for besides those that the
	// program asks for before clients can reach it: each is a network and an address as
	// Listen gets them, "tcp :443", or an absolute path, "unix /run/app.sock". A descriptor
	// that the program has opened itself, "fd 7", must be named. See docs/decisions/0033.
	Sockets []string

	// Spread says how the connections of an address are spread over the workers, for
	// listeners whose own rota.ListenConfig doesn't say. Zero means SpreadShared.
	Spread Spread

	// Allow may refuse a worker a socket: its error becomes the worker's. It is
	// called on a goroutine of its own and may block. If it panics, the socket is
	// refused and the panic logged. Nil allows everything, except to workers with a
	// User: these get what the program asked for before clients could reach it, and
	// Sockets.
	Allow func(w *Worker, r SocketRequest) error

	// Logger gets the master's log lines. Nil means slog.Default().
	Logger *slog.Logger
}

// SocketRequest is a worker's request for a socket, with all that it may choose.
type SocketRequest struct {
	Network string
	Address string      // the path of a unix socket is absolute; symbolic links are not resolved
	Packet  bool        // ListenPacket
	Backlog int         // of rota.ListenConfig; 0 means the system's
	Mode    fs.FileMode // of the unix socket's file; 0 means what umask leaves
}

// Validate returns a *ConfigError that names the first field with an invalid value, or nil.
// New and Setup call it.
func (c Config) Validate() error {
	if p := settings.Check(c); p != nil {
		return (*ConfigError)(p)
	}
	if c.MaxBackoff != 0 && c.MaxBackoff < c.MinBackoff {
		return &ConfigError{Field: "MaxBackoff", Value: c.MaxBackoff, Want: "0 (the default), or MinBackoff or more"}
	}
	return nil
}

// clone returns a copy of c that shares no slices with it.
func (c Config) clone() Config {
	c.Args, c.ExtraFiles, c.Sockets = slices.Clone(c.Args), slices.Clone(c.ExtraFiles), slices.Clone(c.Sockets)
	c.TicketKeys = slices.Clone(c.TicketKeys)
	return c
}

func (c Config) logger() *slog.Logger { return logline.Logger(c.Logger) }

func (c Config) workers() int { return max(c.Workers, 1) }

// grace, stopGrace and idleGrace are what the fields stand for.
func (c Config) grace() time.Duration     { return reload.Sum(c.policy().WithDefaults().Grace) }
func (c Config) stopGrace() time.Duration { return reload.Sum(c.policy().WithDefaults().StopGrace) }
func (c Config) idleGrace() time.Duration { return reload.Sum(cmp.Or(c.IdleGrace, 5*time.Second)) }

func (c Config) policy() reload.Policy {
	return reload.Policy{
		Surge: c.Surge, Canary: c.Canary, CanaryTime: c.CanaryTime, MinUptime: c.MinUptime, ReadyTimeout: c.ReadyTimeout,
		Grace: c.Grace, StopGrace: c.StopGrace, KillAfter: c.KillAfter, MaxAge: c.MaxAge,
		MaxDraining: c.MaxDraining, MinBackoff: c.MinBackoff, MaxBackoff: c.MaxBackoff,
	}
}

// setup is Master.Setup.
func (l *loop) setup(cfg Config) {
	if cfg.Workers == 0 || l.pool != nil {
		cfg.Workers = l.cfg.Workers
	}
	l.cfg = cfg.clone()
	l.tickets.Set(cfg.TicketKeys)
	l.balancer.Set(cfg.Rebalance, cfg.Canary)
	l.emitSetup()
}

// setupOnce emits the Setup event before the first fork of a program that has not called
// Setup, as Node does.
func (l *loop) setupOnce() {
	if !l.isSetUp {
		l.emitSetup()
	}
}

func (l *loop) emitSetup() {
	l.isSetUp = true
	cfg := l.cfg
	l.m.events.EmitOnce(nil, func(e *Events) { call(e.Setup, cfg.clone()) })
}

// Spread says how the connections of one address are spread over the workers. The zero value
// leaves the choice to the master, which is SpreadShared. docs/sockets.md says what each costs,
// and how evenly it spreads. As text it is "auto", "shared" or "slots".
type Spread int

const (
	// SpreadShared is one queue, from which all workers accept. A busy worker takes fewer connections. On Linux, with several
	// workers, those that wait for a stream connection have their turn: the kernel wakes the one that has waited for longest; and
	// of many connections, as many workers have theirs at a time as there are processors. Elsewhere all of them wake,
	// and one may get most of the connections that stay open.
	SpreadShared Spread = bind.Shared
	// SpreadSlots is a queue for each slot (SO_REUSEPORT), all of which the master owns: the kernel chooses one for each new
	// connection by a hash of its addresses. A worker's successor gets the queue of its slot, so that a reload changes
	// nothing. If a worker doesn't accept, because it has crashed, was stopped or hangs, others accept the connections in its
	// queue within about 60 ms. For UDP, the datagrams of one client come to one slot. The sockets besides the first are
	// never MPTCP sockets. It is for TCP and UDP, on Linux; others are shared.
	SpreadSlots Spread = bind.Slots
)

// String returns "auto", "shared" or "slots".
func (s Spread) String() string { return settings.Names(settings.Spreads).Text(int(s)) }

// MarshalText returns the same.
func (s Spread) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of MarshalText. The error is a *ConfigError.
func (s *Spread) UnmarshalText(text []byte) error {
	value, ok := settings.Names(settings.Spreads).Value(string(text))
	if !ok {
		return &ConfigError{Field: "Spread", Value: string(text), Want: settings.Names(settings.Spreads).String()}
	}
	*s = Spread(value)
	return nil
}
