//go:build !linux

package sockets

import (
	"context"
	"time"
)

type directoryLock struct{}

func lockDirectory(context.Context, string, time.Duration) *directoryLock { return nil }

func (*directoryLock) held() bool { return false }

func (*directoryLock) close() {}

func isBound(string, *directoryLock) bool { return true }
