//go:build !linux

package workerproc

func keepName() {}
