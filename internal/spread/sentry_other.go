//go:build !linux

package spread

import "errors"

// Sentry is for Linux.
type Sentry struct{}

// NewSentry fails here.
func NewSentry() (*Sentry, error) { return nil, errors.ErrUnsupported }

// Arm fails here.
func (*Sentry) Arm(int, int) error { return errors.ErrUnsupported }

// Forget does nothing here.
func (*Sentry) Forget(int) {}

// Wait fails here.
func (*Sentry) Wait() (id int, err error) { return 0, ErrClosed }

// Close does nothing here.
func (*Sentry) Close() {}
