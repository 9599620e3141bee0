package master

import (
	"errors"
	"fmt"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/reload"
)

// Errors of the methods of a Master; they may be wrapped.
var (
	ErrClosed     = errors.New("master is closed")
	ErrWorker     = errors.New("a worker can't be a master")
	ErrRunning    = errors.New("pool is running already")
	ErrNotRunning = errors.New("pool is not running")
	ErrStopping   = errors.New("pool is stopping")
	ErrNoWorker   = errors.New("no such worker")
	ErrBusy       = errors.New("another change is under way")
	ErrNoReload   = errors.New("no reload is replacing workers")
	ErrNoRelease  = errors.New("no release before this one is kept")
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
// ready, or three workers in a row of one slot died, none had been ready for
// Config.MinUptime before, and none served.
type StartError struct {
	Worker  int // its id
	PID     int // 0 if the process could not be started
	Exit    Exit
	Crashes int // in a row, this one included; 0: it died before it was ready
}

func (e *StartError) Error() string {
	if e.Crashes > 0 {
		return fmt.Sprintf("worker %d (pid %d) died soon after its start, as did %d before it: %v", e.Worker, e.PID, e.Crashes-1, e.Exit)
	}
	return fmt.Sprintf("worker %d (pid %d) died before it was ready: %v", e.Worker, e.PID, e.Exit)
}

// Unwrap returns why the process could not be started, or nil if it was.
func (e *StartError) Unwrap() error { return e.Exit.Err }

// Errors of Upgrade, besides those of Reload. errors.Is finds them.
var (
	// ErrPID1 means that this process is PID 1, which can't be replaced.
	ErrPID1 = errors.New("this process is PID 1, and its end would be the end of the container")
	// ErrNotReady means that the new master, or one of its workers, was not ready in time.
	ErrNotReady = reload.ErrNotReady
)

// UpgradeError says why an upgrade has failed. The master that returns it goes on serving
// with the workers that it has.
type UpgradeError struct {
	PID int   // of the new master; 0 if it has not reported
	Err error // why
}

func (e *UpgradeError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("upgrade: %v", e.Err)
	}
	return fmt.Sprintf("upgrade: new master (pid %d): %v", e.PID, e.Err)
}

// Unwrap returns Err.
func (e *UpgradeError) Unwrap() error { return e.Err }
