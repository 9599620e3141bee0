//go:build !linux

package handover

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
)

const (
	supported  = false
	rightsSize = 0
)

func newPair() (sender, receiver *descriptor.FD, err error) { return nil, nil, errors.ErrUnsupported }

func rights([]int) []byte { return nil }
