//go:build !linux

package sigaction

import "os"

func ignore([]os.Signal) (undo func()) { return func() {} }

func setDefault([]os.Signal) (undo func()) { return func() {} }

func pending(os.Signal) bool { return false }
