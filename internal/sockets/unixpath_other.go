//go:build !linux

package sockets

import (
	"context"
	"errors"
	"time"
)

type directory struct{ locked bool }

func openDirectory(string) *directory { return &directory{} }

func (*directory) lock(context.Context, time.Duration) {}

func (*directory) close() {}

func (*directory) socket(string) (identity, error) { return identity{}, errors.ErrUnsupported }

func (*directory) remove(string) error { return errors.ErrUnsupported }

func (*directory) isBound(string) bool { return true }
