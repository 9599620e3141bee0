//go:build !linux

package process

import (
	"errors"
	"os"
)

func restart([]string, []*os.File) error { return errors.ErrUnsupported }

func canRestart() bool { return false }

func restoreName() {}

func nameWorker(int) {}

// Umask returns -1: the umask is not known here.
func Umask() int { return -1 }

// startState is empty: a process of this platform is never restarted.
type startState struct{}

func captureState() startState { return startState{} }
