//go:build !linux

package sigaction

import (
	"os"
	"time"
)

func ignore([]os.Signal) (undo func()) { return func() {} }

func setDefault([]os.Signal, time.Duration) (undo func()) { return func() {} }

func pending(os.Signal) bool { return false }
