package control

// CloseOnExec keeps descriptor n from processes that this one starts. It does nothing
// where there is no master.
func CloseOnExec(n int) { closeOnExec(n) }
