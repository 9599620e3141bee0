//go:build !linux

package sockets

func isTrusted(string) bool { return true }
