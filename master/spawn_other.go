//go:build !linux

package master

import (
	"errors"
	"os"
	"syscall"
)

func processAttr(*identity) *syscall.SysProcAttr { return nil }

func descriptorPath(_ *os.File, path string) string { return path }

func openDirectory(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func signalOf(*os.ProcessState) os.Signal { return nil }
