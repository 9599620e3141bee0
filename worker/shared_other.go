//go:build !linux

package worker

func interruptThreads() {}
