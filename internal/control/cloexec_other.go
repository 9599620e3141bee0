//go:build !linux

package control

func closeOnExec(int) {}

func closeListenersOnExec() {}
