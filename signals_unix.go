//go:build unix

package rota

import (
	"os"
	"slices"
	"syscall"
)

// actions says what each signal to the master does.
var actions = map[os.Signal]func(*signalHandler){
	syscall.SIGHUP:  (*signalHandler).hangup,
	syscall.SIGTERM: (*signalHandler).terminate,
	syscall.SIGQUIT: (*signalHandler).terminate,
	syscall.SIGINT:  (*signalHandler).interrupt,
	syscall.SIGUSR1: func(h *signalHandler) { _ = h.m.Signal(syscall.SIGUSR1) },
	syscall.SIGUSR2: (*signalHandler).upgrade,
	syscall.SIGTTIN: func(h *signalHandler) { h.scale(+1) },
	syscall.SIGTTOU: func(h *signalHandler) { h.scale(-1) },
}

// jobSignals returns the signals that a terminal sends to its background jobs.
func jobSignals() []os.Signal { return []os.Signal{syscall.SIGTTIN, syscall.SIGTTOU} }

// masterSignals returns the signals that the master handles: those of actions, SIGCONT,
// after which the process may be in the background of its terminal, and
// SIGPIPE, which does nothing. Without a handler, SIGPIPE would end the master at its next
// log line after the reader of its log has gone. If the master ignored it instead, the
// workers would inherit that.
func masterSignals() []os.Signal {
	all := []os.Signal{syscall.SIGPIPE, syscall.SIGCONT}
	for s := range actions {
		all = append(all, s)
	}
	return all
}

func workerSignals() []os.Signal { return []os.Signal{syscall.SIGTERM} }

// signalSelf sends this process a signal. It doesn't use os.FindProcess, whose first call forks, to
// try out the kernel's pidfds: that costs the end of each worker 0.3 ms.
func signalSelf(s os.Signal) error { return syscall.Kill(syscall.Getpid(), s.(syscall.Signal)) }

func hangups() []os.Signal { return []os.Signal{syscall.SIGHUP} }

// endings returns the signals that end a master, and a program without handlers.
func endings() []os.Signal { return []os.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT} }

// harmless returns the signals that neither end nor stop a master, but would a program without handlers.
func harmless() []os.Signal {
	return slices.DeleteFunc(masterSignals(), func(s os.Signal) bool {
		return s == syscall.SIGCONT || slices.Contains(endings(), s)
	})
}
