//go:build !linux

package spread

import "errors"

func steer(int, []int, bool) error { return errors.ErrUnsupported }

func unsteer(int) error { return errors.ErrUnsupported }
