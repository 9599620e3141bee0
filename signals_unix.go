//go:build unix

package rota

import (
	"os"
	"syscall"
)

// table is what each signal means to the master.
var table = map[os.Signal]func(*conductor){
	syscall.SIGHUP:  (*conductor).reload,
	syscall.SIGTERM: func(c *conductor) { c.stop() },
	syscall.SIGQUIT: func(c *conductor) { c.stop() },
	syscall.SIGINT:  (*conductor).interrupt,
	syscall.SIGUSR1: func(c *conductor) { c.passOn(syscall.SIGUSR1) },
	syscall.SIGUSR2: (*conductor).upgrade,
	syscall.SIGTTIN: func(c *conductor) { c.scale(+1) },
	syscall.SIGTTOU: func(c *conductor) { c.scale(-1) },
}

// masterSignals are those of the table, and SIGPIPE, which means nothing: without a
// handler the master would die of its next log line when whoever reads them has gone.
// (Ignored, it would be ignored in every worker too.)
func masterSignals() []os.Signal {
	all := []os.Signal{syscall.SIGPIPE}
	for s := range table {
		all = append(all, s)
	}
	return all
}

func workerSignals() []os.Signal { return []os.Signal{syscall.SIGTERM, syscall.SIGHUP} }

func isTerm(s os.Signal) bool { return s == syscall.SIGTERM }
