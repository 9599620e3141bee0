//go:build !linux

package spread

import "errors"

// Sentry is for Linux.
type Sentry struct{}

// NewSentry fails here.
func NewSentry() (*Sentry, error) { return nil, errors.ErrUnsupported }

func (*Sentry) Arm(int) error { return errors.ErrUnsupported }
func (*Sentry) Forget(int)    {}
func (*Sentry) Wait() error   { return ErrClosed }
func (*Sentry) Close()        {}

// Steer fails here.
func Steer(fd, n int) error { return errors.ErrUnsupported }
