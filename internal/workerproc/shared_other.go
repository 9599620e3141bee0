//go:build !linux

package workerproc

func interruptThreads() {}
