//go:build unix

package hangup

import (
	"os"
	"os/signal"
	"syscall"
)

func hangup() []os.Signal { return []os.Signal{syscall.SIGHUP} }

func wasIgnored() bool { return signal.Ignored(syscall.SIGHUP) }

func raise() { _ = syscall.Kill(os.Getpid(), syscall.SIGHUP) } // it can't fail
