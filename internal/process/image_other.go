//go:build !linux

package process

import (
	"errors"
	"os"
)

func descriptorPath(_ *os.File, path string) string { return path }

func openDirectory(string) (*os.File, error) { return nil, errors.ErrUnsupported }
