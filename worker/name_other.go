//go:build !linux

package worker

func keepName() {}
