//go:build !linux

package sharedfile

import (
	"errors"

	"github.com/rota-go/rota/internal/descriptor"
)

func create(int64) (*descriptor.FD, error) { return nil, errors.ErrUnsupported }

func check(*descriptor.FD) error { return errors.ErrUnsupported }

func createQueue() (*descriptor.FD, error) { return nil, errors.ErrUnsupported }

func isQueue(*descriptor.FD) bool { return false }
