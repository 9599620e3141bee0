//go:build !linux

package link

import "errors"

func inherit(int) (*Link, error) { return nil, errors.ErrUnsupported }
