//go:build !linux

package link

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
)

const rightsSpace = 0

func sendmsg(int, []byte, []*descriptor.FD) (int, error) { return 0, errors.ErrUnsupported }

func recvmsg(int, []byte, []byte) (int, []*descriptor.FD, error) {
	return 0, nil, errors.ErrUnsupported
}

func arrived(int) bool { return true }

func yield() {}

func isAgain(error) bool { return false }

func isReset(error) bool { return false }
