//go:build linux

package keeper

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/process"
)

// passed are the signals that wait until a master is ready.
func passed() []os.Signal {
	return append([]os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}, jobSignals()...)
}

// jobSignals are those that a terminal sends to its background jobs.
func jobSignals() []os.Signal { return []os.Signal{syscall.SIGTTIN, syscall.SIGTTOU} }

// watched are all that the keeper handles. SIGPIPE has no effect: the reader of the log may have gone.
// After SIGCONT the process may be in the background of its terminal.
func watched() []os.Signal {
	return append(passed(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGCONT)
}

// watch has signals sent to c. Each has a channel of its own before it, so that no burst of another takes its place: package os/signal drops
// what finds no room.
func watch(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		own := make(chan os.Signal, 64)
		signal.Notify(own, s)
		go func() {
			for s := range own {
				c <- s
			}
		}()
	}
}

// signal handles one. What masters have said before, or their end, is known before, so that it isn't sent to a wrong one.
func (k *keeper) signal(s syscall.Signal) {
	k.read()
	k.reap()
	switch s {
	case syscall.SIGCHLD:
	case syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT:
		k.stop(s)
	case syscall.SIGPIPE, syscall.SIGCONT:
	default:
		k.pass(s)
	}
}

// pass passes a signal to the master, when it is ready.
func (k *keeper) pass(s syscall.Signal) {
	switch {
	case k.background && slices.Contains(jobSignals(), os.Signal(s)): // the terminal's
	case !k.main.ready.IsZero() && !k.isEnding() && k.kill(s) == nil:
		if k.before != 0 {
			k.main.passed = append(k.main.passed, s)
		}
	case !slices.Contains(k.held, s):
		k.held = append(k.held, s)
	}
}

// isEnding reports whether the master is dead, but can't be waited for yet: some of its threads haven't ended.
func (k *keeper) isEnding() bool {
	return k.main.pid != 0 && isDead(k.main.pid)
}

// isDead reports whether a process has ended, and nobody has waited for it yet.
func isDead(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // without /proc it is alive
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// passHeld passes the signals that have waited.
func (k *keeper) passHeld() {
	held := k.held
	k.held = nil
	for _, s := range held {
		k.pass(s)
	}
}

// kill sends a signal to the master. It fails if that has ended, and the master before has waited for it.
func (k *keeper) kill(s syscall.Signal) error { return syscall.Kill(k.main.pid, s) }

// stopsWithin is how long after a signal of the terminal the master has begun to stop.
const stopsWithin = 300 * time.Millisecond

// stop passes a signal that ends the master. Those of the terminal, Ctrl-C and Ctrl-\, have reached
// the master too if it is in the keeper's process group.
func (k *keeper) stop(s syscall.Signal) {
	again, was := k.asked, k.main
	k.asked = true
	fromTerminal := s != syscall.SIGTERM && was.shares && k.inForeground()
	k.main.asked = was.asked || !fromTerminal
	switch {
	case k.over, k.isEnding():
		k.hurry = again
	case was.pid == 0:
		k.finish(0, nil)
	case !fromTerminal:
		_ = k.kill(s) // its end ends the keeper
	default:
		k.after(stopsWithin, func() {
			if k.main.pid == was.pid && !k.main.stopping {
				_ = k.kill(s) // as above
			}
		})
	}
}

// inForeground reports whether this process is in the foreground of a terminal.
func (k *keeper) inForeground() bool { return k.terminal != nil && !k.terminal.InBackground() }

// followJobControl ignores SIGTTIN and SIGTTOU as long as this process is a background job of
// its terminal: the kernel sends them for what it writes, without end if they are handled.
func (k *keeper) followJobControl() {
	was := k.background
	k.background = k.terminal.InBackground()
	switch {
	case k.background && !was:
		signal.Ignore(jobSignals()...)
	case !k.background && was:
		signal.Notify(k.signals, jobSignals()...)
	}
}

// endWithin is how long what is left may take to end when no master runs any more.
const endWithin = 30 * time.Second

// clear ends what is left: workers of a master that was killed, which finish their requests, and what
// the program has started besides. After endWithin, or at another signal that ends, it is killed.
func (k *keeper) clear() {
	with, sent := syscall.SIGTERM, map[int]bool{}
	harder := func() { with, sent = syscall.SIGKILL, map[int]bool{} }
	if k.hurry {
		harder()
	}
	k.after(endWithin, harder)
	onSignal := func(s syscall.Signal) {
		if s == syscall.SIGTERM || s == syscall.SIGINT || s == syscall.SIGQUIT {
			harder()
		}
	}
	for k.reap() {
		for _, pid := range process.Children() {
			if !sent[pid] {
				sent[pid] = true
				_ = unix.Kill(pid, with) // it may have just ended
			}
		}
		k.next(onSignal)
	}
}
