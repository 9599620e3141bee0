//go:build !linux

package sockets

import (
	"errors"
)

type directory struct{ locked bool }

func openDirectory(string) *directory { return &directory{} }

func (*directory) isBusy() bool { return false }

func (*directory) close() {}

func (*directory) socket(string) (identity, error) { return identity{}, errors.ErrUnsupported }

func (*directory) remove(string) error { return errors.ErrUnsupported }

func (*directory) isBound(string) bool { return true }
