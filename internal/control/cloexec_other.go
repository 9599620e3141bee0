//go:build !linux

package control

// CloseOnExec does nothing where there is no master.
func CloseOnExec(int) {}
