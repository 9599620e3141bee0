package successor

// Kill kills the child of this process that Start has started with mark. It finds the pid
// itself, because tableflip doesn't report it and the child may never send hello. If no
// upgrade has started, it does nothing.
func Kill(mark string) { kill(mark) }
