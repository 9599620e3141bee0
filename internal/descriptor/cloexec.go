package descriptor

// CloseOnExec keeps descriptor n from processes that this one starts. It does nothing
// where there is no master.
func CloseOnExec(n int) { closeOnExec(n) }

// CloseListenersOnExec does it for all sockets that listen. One that this process was
// started with would be open in every worker, and in what workers start, and go on taking
// connections that nobody accepts. Standard input, output and error are left alone.
func CloseListenersOnExec() { closeListenersOnExec() }
