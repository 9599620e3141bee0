package http1

// Resume makes the Observer one of a connection on which another process has answered
// requests, and where the next is to be read. It is called before all other methods.
func (o *Observer) Resume() {
	o.sniffed.Store(uint32(hasAnswered))
	o.opening.Store(uint32(RequestLine))
}

// mayMove reports whether the connection speaks HTTP/1 from its first byte on, so that another
// process can read the next request when it is at rest. One whose program is about to close it doesn't: the client waits for that.
// The caller holds o.mu.
func (o *Observer) mayMove() bool {
	if o.mustFollow(); o.tracker.Untracked() || o.tracker.Announced() || o.tracker.Last() || o.readClosed.Load() {
		return false
	}
	opening := o.Opening()
	return opening == RequestLine || opening == PartOfLine
}

// Movable reports whether another process can read the next request now: the connection
// may move, at least one request was answered, all that was read is answered, and the
// program waits for the next request or is about to.
func (o *Observer) Movable() bool {
	if o.untracked.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mayMove() && !o.busy.Load() && o.pendingHeader == "" && o.atRest()
}

// Asks reports whether a Read with room for so many bytes waits for a request. One of one byte may wait for the client's end instead, unless
// all that was read is answered, and the program hasn't read since, or reads all its requests so.
func (o *Observer) Asks(room int) bool {
	if room > 1 {
		if !o.wide.Load() {
			o.wide.Store(true)
		}
		return true
	}
	ph := o.load().phase()
	return room == 1 && (ph == asking || ph == followed && (o.Movable() || !o.wide.Load() && o.isAtRest()))
}

// isAtRest is atRest for a caller that doesn't hold o.mu.
func (o *Observer) isAtRest() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.atRest()
}

// Rests reports whether Movable seems to be true. Unlike Movable it has no effect: a connection
// whose bytes aren't followed stays one.
func (o *Observer) Rests() bool {
	s := o.load()
	if s.phase() == followed {
		return o.Movable()
	}
	return s.phase() == asking && s&hasAnswered != 0 && o.MayRest()
}

// MayRest reports whether Rests may become true. It has no effect.
func (o *Observer) MayRest() bool {
	return !o.untracked.Load() && o.Opening() == RequestLine
}
