package successor

// Kill kills the child of this process that Start has started with mark. tableflip doesn't
// tell the pid, and one that never says hello must be ended too. Where there is no upgrade
// it does nothing.
func Kill(mark string) { kill(mark) }
