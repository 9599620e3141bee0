//go:build unix

package rotapage

import (
	"fmt"
	"syscall"
)

// hangUp sends a master the signal that reloads it.
func hangUp(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("SIGHUP to the master: %w", err)
	}
	return nil
}
