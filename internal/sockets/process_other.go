//go:build !linux

package sockets

func cookies() map[int]uint64 { return nil }

func limit() int { return 0 }
