//go:build !linux

package descriptor

import "errors"

func blankFile() (*FD, error) { return nil, errors.ErrUnsupported }

func replace(place, n int) error { return errors.ErrUnsupported }
