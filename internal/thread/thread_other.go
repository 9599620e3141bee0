//go:build !linux

package thread

func isFirst() bool { return false }
