//go:build !linux

package link

import (
	"errors"
	"os"
)

const supported = false

func pair() (*Link, *os.File, error) { return nil, nil, errors.ErrUnsupported }
