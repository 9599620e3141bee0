// Package sigaction sets what the kernel does at a signal, beside package os/signal, for the time in which
// this process executes another program.
//
// Package os/signal is no help there. Its functions work by handlers, and execve(2) ends all threads
// but one: a handler that a thread has just begun is cut, and its signal is lost.
package sigaction

import (
	"os"
	"time"
)

// patience is how long Default waits for handlers. Threads of other languages may have all signals
// blocked without being in one.
const patience = 50 * time.Millisecond

// Ignore makes the kernel ignore signals until undo, and over execve(2). It does nothing on other
// systems than Linux, where the program is never executed again.
func Ignore(signals []os.Signal) (undo func()) { return ignore(signals) }

// Default makes signals end this process until undo, and over execve(2), whatever handlers there
// are; signals that are ignored stay so. When it returns, no thread is in a handler of a signal that came before. It does nothing for
// PID 1, for which the kernel would then ignore the signals, and on other systems than Linux.
func Default(signals []os.Signal) (undo func()) { return setDefault(signals, patience) }

// Pending reports whether a signal has been sent to this process, and none of its threads has got
// round to it; false where that isn't known.
func Pending(s os.Signal) bool { return pending(s) }
