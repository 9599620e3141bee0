//go:build !linux

package process

import (
	"errors"
	"os"
)

func restart([]string, []*os.File) error { return errors.ErrUnsupported }

func canRestart() bool { return false }

func restoreName() {}

// startState is empty: a process of this platform is never restarted.
type startState struct{}

func captureState() startState { return startState{} }
