//go:build !linux

package master

import (
	"os"
	"syscall"
)

func processAttr(*identity) *syscall.SysProcAttr { return nil }

func descriptorPath(_ *os.File, path string) string { return path }

func signalOf(*os.ProcessState) os.Signal { return nil }
