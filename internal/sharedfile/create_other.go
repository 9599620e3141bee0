//go:build !linux

package sharedfile

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
)

func create(int64) (*descriptor.FD, error) { return nil, errors.ErrUnsupported }
