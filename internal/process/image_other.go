//go:build !linux

package process

import (
	"errors"
	"os"
)

func descriptorPath(_ *os.File, path string) string { return path }

func dupAbove(f *os.File, _ int) (*os.File, error) { return os.Open(f.Name()) }

func openDirectory(string) (*os.File, error) { return nil, errors.ErrUnsupported }
