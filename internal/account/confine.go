package account

// Confine says what processes that are started by [Confine.Start] can't do.
type Confine struct {
	NoNewPrivs     bool // PR_SET_NO_NEW_PRIVS: execute set-uid and set-gid files, and files with capabilities, to gain privileges
	NoCapabilities bool // keep capabilities of this process, unless they are root's
}

// Start calls start, which starts a process, on a thread that is confined, and returns its
// error. Both are attributes of a thread that the processes which it starts inherit, and that
// it can't get rid of: the thread does nothing else, and stays for the next start. One start
// waits for another, as they do for the runtime's lock of forks.
func (c Confine) Start(start func() error) error {
	if c == (Confine{}) {
		return start()
	}
	return c.onThread(start)
}
