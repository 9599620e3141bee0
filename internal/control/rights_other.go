//go:build !linux

package control

import "errors"

const rightsSpace = 0

func rights([]*FD) ([]byte, error) { return nil, errors.ErrUnsupported }

func parseRights([]byte, int) ([]*FD, error) { return nil, nil }
