//go:build !linux

package control

import (
	"errors"
	"os"
)

const supported = false

func pair() (*Link, *os.File, error) { return nil, nil, errors.ErrUnsupported }
