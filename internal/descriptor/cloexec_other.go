//go:build !linux

package descriptor

func closeOnExec(int) {}

func closeListenersOnExec() {}
