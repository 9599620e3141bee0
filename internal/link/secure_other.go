//go:build !linux

package link

func isSecure() bool { return false }

func isFromRootParent(int) bool { return false }
