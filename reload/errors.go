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
)

// Error says why a reload has failed: which new worker failed, and how. The old workers
// still serve, or are being started again.
type Error struct {
	Worker     int    // its id; 0: no worker was started, because there is no executable or environment for one
	Slot       int    // of the worker
	Generation int    // the one that was to be rolled out
	PID        int    // 0: no process was started
	Err        error  // wraps ErrDied or ErrNotReady and may say more (the exit status); of Worker 0, what is missing
	Stderr     string // the last lines of the worker's standard error, if the master has them
}

// Error names the worker and the reason in one line. What the worker wrote to its
// standard error follows, indented.
func (e *Error) Error() string {
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
