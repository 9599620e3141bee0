//go:build !linux

package process

func residentBytes(int) int64 { return 0 }
