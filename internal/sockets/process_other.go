//go:build !linux

package sockets

func cookies() map[int]uint64 { return nil }

func cookie(int) uint64 { return 0 }

func limit() int { return 0 }
