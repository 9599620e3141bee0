//go:build !linux

package process

import (
	"os"
	"syscall"
)

func processAttr(*credential) *syscall.SysProcAttr { return nil }

func signalOf(*os.ProcessState) os.Signal { return nil }
