package master

import (
	"errors"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
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
	ErrNoReload   = errors.New("no reload is under way")
	ErrNoRelease  = errors.New("no release before this one is kept")
)

// Errors of Send, documented in package ipc; they may be wrapped.
var (
	ErrDisconnected = ipc.ErrDisconnected
	ErrQueueFull    = ipc.ErrQueueFull
)

// ConfigError is an invalid value of a field of Config.
type ConfigError = status.ConfigError

// StartError is the error of Run if the first start has failed.
type StartError = status.StartError

// Errors of Upgrade, besides those of Reload. errors.Is finds them.
var (
	// ErrPID1 means that this process is PID 1, which can't be replaced.
	ErrPID1 = errors.New("this process is PID 1, and its end would be the end of the container")
	// ErrNotReady means that the new master, or one of its workers, was not ready in time.
	ErrNotReady = reload.ErrNotReady
)

// UpgradeError says why an upgrade has failed.
type UpgradeError = status.UpgradeError
