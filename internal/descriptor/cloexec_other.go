//go:build !linux

package descriptor

func openDescriptors() []int { return nil }

func closeOnExec(int) {}

func closeListenersOnExec() {}

func closeAllOnExec() {}
