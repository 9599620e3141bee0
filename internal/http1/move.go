package http1

import "bytes"

// What the first bytes were that the program has read.
const (
	nothing  uint32 = iota // none were read
	request                // a line that ends with HTTP/1.x
	part                   // less than a line: the tracker knows whether they begin a request
	stranger               // another line: a header of the PROXY protocol, for example
)

// noteFirst records what the first bytes are. A program that expects something before the
// first request would expect it again on a connection that moves to it.
func (o *Observer) noteFirst(p []byte) {
	what := part
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		what = stranger
		line := trim(p[:i+1])
		if n := len(line) - len("HTTP/1.x"); n > 0 && isLetter(line[0]) && bytes.HasPrefix(line[n:], prefix) {
			what = request
		}
	}
	o.first.CompareAndSwap(nothing, what)
}

// Resume makes the Observer one of a connection on which another process has answered
// requests, and where the next is to be read. It is called before all other methods.
func (o *Observer) Resume() {
	o.sniffed.Store(uint32(hasAnswered))
	o.first.Store(request)
}

// MayMove reports whether the connection speaks HTTP/1 from its first byte on, so that
// another process can read the next request when it is at rest.
func (o *Observer) MayMove() bool {
	if o.untracked.Load() {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mayMove()
}

func (o *Observer) mayMove() bool {
	if o.mustFollow(); o.tracker.Untracked() || o.tracker.Announced() || o.readClosed.Load() {
		return false
	}
	first := o.first.Load()
	return first == request || first == part
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
