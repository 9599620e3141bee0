package master

import (
	"errors"
	"fmt"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/ipc"
)

// Errors of the methods of a Master; they may be wrapped.
var (
	ErrClosed     = errors.New("master is closed")
	ErrWorker     = errors.New("a worker can't be a master")
	ErrRunning    = errors.New("pool is running already")
	ErrNotRunning = errors.New("pool is not running")
	ErrStopping   = errors.New("pool is stopping")
)

// Errors of Send, documented in package ipc; they may be wrapped.
var (
	ErrDisconnected = ipc.ErrDisconnected
	ErrQueueFull    = ipc.ErrQueueFull
)

// ConfigError is an invalid value of a field of Config.
type ConfigError struct {
	Field string // of Config, or the environment variable that sets it
	Value any    // the invalid value
	Want  string // what is valid
}

func (e *ConfigError) Error() string {
	if s, ok := e.Value.(string); ok {
		return fmt.Sprintf("%s is %q: want %s", e.Field, s, e.Want)
	}
	return fmt.Sprintf("%s is %v: want %s", e.Field, e.Value, e.Want)
}

// StartError is the error of Run if a worker of the first start died before it was
// ready.
type StartError struct {
	Worker int // its id
	PID    int // 0 if the process could not be started
	Exit   Exit
}

func (e *StartError) Error() string {
	return fmt.Sprintf("worker %d (pid %d) died before it was ready: %v", e.Worker, e.PID, e.Exit)
}

// Unwrap returns why the process could not be started, or nil if it was.
func (e *StartError) Unwrap() error { return e.Exit.Err }

// checkRole returns an error if this process can't be a master.
func checkRole() error {
	if !link.Supported {
		return errors.ErrUnsupported
	}
	if link.IsWorker() {
		return ErrWorker
	}
	return nil
}
