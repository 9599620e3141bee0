package reload

import (
	"errors"
	"fmt"
	"strings"
)

// Why a rollout was aborted: the Err of an [Abort] step.
var (
	ErrDied     = errors.New("died")
	ErrNotReady = errors.New("not ready in time")
	// ErrSuperseded means that the worker was not ready yet when a newer reload was
	// requested, and had taken much longer than those that it was to replace.
	ErrSuperseded = errors.New("not ready when a newer reload was requested")
)

// ErrLeft means that a reload was requested during an upgrade that has succeeded: the new master
// does it, and logs how it ends.
var ErrLeft = errors.New("left to the new master")

// Error says why a reload has failed: which new worker failed, and how. The old workers
// still serve, or are being started again.
type Error struct {
	Worker     int    // its id; 0: none was started, because there is no executable or environment for one, or the reload was aborted
	Slot       int    // of the worker
	Generation int    // the one that was to be rolled out
	PID        int    // 0: no process was started
	Err        error  // wraps one of the errors above and may say more (the exit status); of Worker 0, what is missing
	Stderr     string // the last lines of the worker's standard error, if the master has them
}

// Error names the worker and the reason in one line. What the worker wrote to its
// standard error follows, indented.
func (e *Error) Error() string {
	if e.Worker == 0 && errors.Is(e.Err, ErrAborted) {
		return fmt.Sprintf("reload: generation %d: %v", e.Generation, e.Err)
	}
	if e.Worker == 0 {
		return fmt.Sprintf("reload: no worker of generation %d: %v", e.Generation, e.Err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "reload: worker %d (slot %d, generation %d", e.Worker, e.Slot, e.Generation)
	if e.PID != 0 {
		fmt.Fprintf(&b, ", pid %d", e.PID)
	}
	fmt.Fprintf(&b, "): %v", e.Err)
	if text := strings.TrimRight(e.Stderr, "\n"); text != "" {
		b.WriteString("\n\t" + strings.ReplaceAll(text, "\n", "\n\t"))
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// ErrNoAnswer means that a new worker was ready, and then gave the master no sign of life
// before its predecessor was to leave: the process has been stopped, or hangs.
var ErrNoAnswer = errors.New("no answer after it was ready")

// NotReady returns ErrNotReady with the addresses that the worker doesn't accept on.
func NotReady(missing []string) error {
	if len(missing) == 0 {
		return ErrNotReady
	}
	const most = 3
	names := strings.Join(missing[:min(len(missing), most)], ", ")
	if n := len(missing) - most; n > 0 {
		names += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%w: no Accept on %s", ErrNotReady, names)
}

// Explain says more of why a worker has failed: how it died, or what it doesn't accept on.
// cause is why it could not be started, or nil.
func Explain(why error, how string, cause error, missing []string) error {
	switch {
	case errors.Is(why, ErrDied):
		return Died(how, cause)
	case errors.Is(why, ErrNotReady):
		return NotReady(missing)
	}
	return why
}

// Died returns ErrDied with how the worker died. cause is why it could not be started, or
// nil. errors.Is finds both.
func Died(how string, cause error) error { return &diedError{how, cause} }

type diedError struct {
	how   string
	cause error
}

func (e *diedError) Error() string { return ErrDied.Error() + ": " + e.how }
func (e *diedError) Unwrap() []error {
	if e.cause != nil {
		return []error{ErrDied, e.cause}
	}
	return []error{ErrDied}
}
