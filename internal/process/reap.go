package process

// Reap waits for dead children of this process that nobody else can wait for, and
// returns their pids. As PID 1 of a container, a master becomes the parent of what its
// workers have left behind. workers are the pids of running workers, at least one: Reap
// recognizes by them whether it can tell such orphans from the program's own children,
// and otherwise reaps nothing.
func Reap(workers map[int]bool) (pids []int) { return reap(workers) }

// Children returns the pids of this process's children, dead ones included. It returns
// none on systems other than Linux.
func Children() []int { return children() }
