package master

import (
	"errors"
	"fmt"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/reload"
)

// What the methods of a Master can fail with. errors.Is finds them.
var (
	ErrClosed     = errors.New("master is closed")
	ErrWorker     = errors.New("a worker is no master")
	ErrRunning    = errors.New("pool is running already")
	ErrNotRunning = errors.New("pool is not running")
	ErrStopping   = errors.New("pool is stopping")
)

// What Send can fail with besides; package ipc says when. errors.Is finds them.
var (
	ErrDisconnected = ipc.ErrDisconnected
	ErrQueueFull    = ipc.ErrQueueFull
)

// ConfigError names a value that a Config can't have.
type ConfigError struct {
	Field string // of Config, or the environment variable it comes from
	Value any
	Want  string
}

func (e *ConfigError) Error() string {
	if s, ok := e.Value.(string); ok {
		return fmt.Sprintf("%s is %q: want %s", e.Field, s, e.Want)
	}
	return fmt.Sprintf("%s is %v: want %s", e.Field, e.Value, e.Want)
}

// StartError says why a rota did not come up: a worker of the first start has
// died before it was ready.
type StartError struct {
	Worker int
	PID    int // 0 where there was no process
	Exit   Exit
}

func (e *StartError) Error() string {
	return fmt.Sprintf("worker %d (pid %d) died before it was ready: %v", e.Worker, e.PID, e.Exit)
}

// Unwrap returns why the process could not be started, if that was it.
func (e *StartError) Unwrap() error { return e.Exit.Err }

// Errors of Upgrade, besides those of Reload. errors.Is finds them.
var (
	// ErrInit means that this process is PID 1, which can't be replaced.
	ErrInit = errors.New("this process is PID 1, and its end would be the end of the container")
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

// allowed says whether this process may be a master.
func allowed() error {
	if !link.Supported {
		return errors.ErrUnsupported
	}
	if link.IsWorker() {
		return ErrWorker
	}
	return nil
}
