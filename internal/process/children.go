package process

// Children returns the pids of this process's children, dead ones included. It returns
// none on systems other than Linux.
func Children() []int { return children() }
