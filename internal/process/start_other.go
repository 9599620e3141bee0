//go:build !linux

package process

import (
	"os"
	"syscall"

	"github.com/rota-go/rota/internal/account"
)

func processAttr(*account.Account) *syscall.SysProcAttr { return nil }

func signalOf(*os.ProcessState) os.Signal { return nil }
