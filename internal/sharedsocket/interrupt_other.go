//go:build !linux

package sharedsocket

func interruptThreads() {}
