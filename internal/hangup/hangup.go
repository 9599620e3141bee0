// Package hangup keeps SIGHUP from ending a process that is about to become a master. Without a
// handler the signal ends a process, and the master's is installed only when main has called Listen
// and the program was executed again.
//
// For one second from the initialisation of this package on a SIGHUP is held. A master that is made
// within that time takes it, as a reload. Otherwise the process is no server, or a slow one, and
// gets the signal at the end of that second, with whatever effect it then has.
//
// The package imports little, so that it is initialised early: after the packages that it imports and
// those whose import paths sort before its own. A SIGHUP before that ends the process.
package hangup

import (
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/sigaction"
)

// EnvMaster is the variable of a process that a first process has executed to be the master. It is
// started with SIGHUP ignored.
const EnvMaster = "ROTA_MASTER"

// patience is how long SIGHUP is held in a process that may become the master.
const patience = time.Second

// own is the hold of this process.
var own = begin(os.LookupEnv, wasIgnored())

// hold receives SIGHUP as long as c is not nil.
type hold struct {
	mu      sync.Mutex
	c       chan os.Signal
	came    bool
	ignored bool // at the start of the process
}

// begin holds the signal in a process that may become the master, or is to be it. A process that
// ignores it needs no hold, and neither do the programs that its main starts.
func begin(lookup func(string) (string, bool), ignored bool) *hold {
	h := &hold{ignored: ignored}
	mode, _ := lookup("ROTA")
	_, again := lookup(EnvMaster)
	if mode == "off" || len(hangup()) == 0 || ignored && !again {
		return h
	}
	h.c = make(chan os.Signal, 1)
	signal.Notify(h.c, hangup()...)
	if !again {
		time.AfterFunc(patience, h.giveBack)
	}
	return h
}

// Pass is called before this process executes its program again: from now on it ignores the signals
// harmless, and so does the next program, until it has its own handlers. Package os/signal does not
// know: its handlers are there again after undo, if the program can't be executed. Its own Ignore
// would end the process if a handler is just being called.
//
// came reports whether SIGHUP has come, and nobody has taken it. The caller tells the next program,
// for Restarted.
func Pass(harmless []os.Signal) (came bool, undo func()) {
	own.mu.Lock()
	defer own.mu.Unlock()
	if own.c == nil {
		return own.came, sigaction.Ignore(harmless)
	}
	own.came = own.came || sigaction.Pending(hangup()[0]) // the kernel drops it when it is ignored
	old := own.c
	own.c = make(chan os.Signal, 1)
	signal.Notify(own.c, hangup()...)
	undo = sigaction.Ignore(harmless)
	signal.Stop(old) // what has come before is in the channel now
	own.receive(old)
	own.receive(own.c)
	return own.came, undo
}

// Take ends the hold. It reports whether SIGHUP has come, the first time. The caller has installed
// a handler of its own, which gets those that come from now on.
func Take() bool { return own.end() }

// GiveBack ends the hold, and sends this process the SIGHUP that has come.
func GiveBack() { own.giveBack() }

// Ignored reports whether SIGHUP was ignored when the process was started, as nohup does it.
func Ignored() bool { return own.ignored }

// Restarted tells a master what the process that has executed it knows: whether SIGHUP has come, and
// Ignored.
func Restarted(came, ignored bool) {
	own.mu.Lock()
	defer own.mu.Unlock()
	own.came, own.ignored = own.came || came, ignored
}

func (h *hold) end() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.c != nil {
		signal.Stop(h.c) // what has come before is in the channel now
		h.receive(h.c)
		h.c = nil
	}
	came := h.came
	h.came = false
	return came
}

func (h *hold) receive(c <-chan os.Signal) {
	select {
	case <-c:
		h.came = true
	default:
	}
}

func (h *hold) giveBack() {
	if h.end() {
		raise()
	}
}
