//go:build !linux

package spread

import "errors"

func steer(int, int) error { return errors.ErrUnsupported }
