package descriptor

// Open returns the open descriptors of this process above standard error. It may return one
// that is closed by then, which the listing has used. It returns nil on platforms without
// masters, and without /proc.
func Open() []int { return openDescriptors() }

// CloseOnExec sets close-on-exec for descriptor n. It does nothing on platforms without
// masters.
func CloseOnExec(n int) { closeOnExec(n) }

// CloseListenersOnExec sets close-on-exec for all listening sockets except standard input,
// output and error. A listening socket that this process was started with would otherwise
// be open in every worker and its children, and queue connections that nobody accepts.
func CloseListenersOnExec() { closeListenersOnExec() }

// CloseAllOnExec sets close-on-exec for all open descriptors above standard error.
func CloseAllOnExec() { closeAllOnExec() }
