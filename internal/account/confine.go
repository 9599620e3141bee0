package account

// Confine says what processes that are started by [Confine.Start] can't do.
type Confine struct {
	NoNewPrivs     bool // PR_SET_NO_NEW_PRIVS: execute set-uid and set-gid files, and files with capabilities, to gain privileges
	NoCapabilities bool // keep capabilities of this process, unless they are root's
}

// Start calls start, which starts a process, on a thread of its own that is confined, and
// returns its error. Both are attributes of a thread that the processes which it starts
// inherit, and that it can't get rid of: the thread ends with start.
func (c Confine) Start(start func() error) error {
	if c == (Confine{}) {
		return start()
	}
	result := make(chan error, 1)
	go func() { result <- c.onThread(start) }()
	return <-result
}
