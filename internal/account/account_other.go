//go:build !linux

package account

import "errors"

func (c Confine) onThread(func() error) error { return errors.ErrUnsupported }
