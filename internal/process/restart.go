package process

import (
	"errors"
	"fmt"
	"os"
)

// Restart executes the program of this process again, in this process: with the pid, the
// executable that runs now (whatever stands at its path), and the arguments, environment,
// working directory, umask and descriptors that the process was started with. env is added
// to the environment, and files stay open. The new program starts with nothing of this one:
// no goroutine, memory, lock, listener or signal handler.
//
// Restart returns only if it fails. Then the process is as it was, except that signal
// handlers of the program may have been reset. It fails with errors.ErrUnsupported on a
// platform without /proc.
func Restart(env []string, files []*os.File) error {
	if err := restart(env, files); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return errors.New("restart: exec has returned") // can't happen
}

// CanRestart reports whether Restart is expected to work.
func CanRestart() bool { return canRestart() }

// RestoreName restores the process name that ps and top show, after the program was
// executed by a path below /proc, from which the kernel takes the name: "exe", or a number.
func RestoreName() { restoreName() }
