//go:build !linux

package process

func reap(map[int]bool) []int { return nil }

func children() []int { return nil }

// awaitExit returns at once: os/exec waits.
func awaitExit(int, <-chan struct{}) {}

// isOthers reports false: it isn't known.
func isOthers(int) bool { return false }
