//go:build !linux

package descriptor

import "errors"

func blankSocket() (*FD, error) { return nil, errors.ErrUnsupported }

func replace(place, n int) error { return errors.ErrUnsupported }
