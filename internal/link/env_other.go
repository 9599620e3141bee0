//go:build !linux

package link

import "errors"

func inherit(int) (*Link, error) { return nil, errors.ErrUnsupported }

func isForThis(int) bool { return true }
