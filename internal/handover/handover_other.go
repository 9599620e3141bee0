//go:build !linux

package handover

import (
	"errors"
	"net"

	"github.com/rota-go/rota/internal/descriptor"
)

const (
	supported  = false
	rightsSize = 0
)

func newPair() (sender, receiver *descriptor.FD, err error) { return nil, nil, errors.ErrUnsupported }

func rights([]int) []byte { return nil }

func checkSocket(int, net.Addr) (bool, error) { return false, errors.ErrUnsupported }
