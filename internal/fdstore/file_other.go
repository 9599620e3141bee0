//go:build !linux

package fdstore

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
)

func write([]byte) (*descriptor.FD, error) { return nil, errors.ErrUnsupported }

func read(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func isPipe(int) bool { return false }

func identify(int) (device, inode uint64, err error) { return 0, 0, errors.ErrUnsupported }
