//go:build !linux

package control

import "errors"

func inherit(int) (*Link, error) { return nil, errors.ErrUnsupported }
