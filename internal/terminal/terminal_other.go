//go:build !linux

package terminal

import "os"

func open() *os.File { return nil }

func (t *Terminal) inBackground() bool { return false }

func (t *Terminal) isClosed() bool { return false }

func (t *Terminal) awaitClosed() error { return os.ErrClosed }
