package http1

import (
	"math"
	"sync"
	"sync/atomic"
)

// An Observer watches one server-side connection by the program's calls of Read and
// Write. Its owner reports each call to it, and asks what to do with the connection in
// a drain. Before a drain the Observer looks only at the first bytes of each call
// (see phase); in a drain, and where those bytes don't suffice, its Tracker sees every
// byte.
//
// The zero value is a connection on which nothing has happened. The methods may be
// called from several goroutines. None of them blocks, except that those with a Socket
// make its system calls.
type Observer struct {
	// untracked is set, and stays set, when there is nothing (more) to track.
	untracked atomic.Bool
	// busy is kept up to date from when the connection is followed or untracked; until
	// then the phase says as much. It is false at first, and while a Read with room for
	// more than one byte runs: the program asks for a request. A Read of one byte doesn't
	// change it: net/http uses one to notice that the client hangs up while a handler
	// runs. See Asks.
	busy atomic.Bool
	// unanswered says, of an untracked connection, that something was read since the
	// last Write.
	unanswered atomic.Bool

	sniffed    atomic.Uint32 // a sniffed
	opening    atomic.Uint32 // an Opening
	readClosed atomic.Bool   // IdleTick has shut down the reading side
	wide       atomic.Bool   // a Read with room for more than one byte has begun

	mu            sync.Mutex // guards what follows; never afterConnect while the connection blocks
	tracker       Tracker
	pendingHeader string // the rest of a Line that an interrupted Write has cut
	idle          idle
	writes        int // of a drain, that have not returned: Split without Wrote
}

// A Socket is the connection below an Observer.
type Socket interface {
	// InputWaiting reports whether input waits that the program hasn't read. It is
	// false where the platform can't tell.
	InputWaiting() bool
	// OutputWaiting reports whether some of the program's bytes haven't left for the
	// client yet. It is false where the platform can't tell.
	OutputWaiting() bool
	// WriteMayWait reports whether a Write of the program may be waiting for the client
	// to read. It is false where the platform can't tell.
	WriteMayWait() bool
	// ClientEnded reports whether the client has ended its side of the connection, whose
	// reading side CloseRead has shut down. It is true where the platform can't tell.
	ClientEnded() bool
	// CloseRead shuts down the reading side. Input that has arrived is still read, and on
	// some platforms what arrives later.
	CloseRead() error
}

// A Limiter bounds how many clients get Connection: close in a short time, because each
// then reconnects.
type Limiter interface {
	Allowed() bool // reports whether one more client may get the header now
	Count()        // counts a client that gets it
}

// Ignore makes the Observer one of a connection that is never tracked. It is called
// before all other methods.
func (o *Observer) Ignore() {
	o.untracked.Store(true)
	o.sniffed.Store(uint32(followed))
}

// OpenAs sets what the connection is whose first bytes another process has read.
func (o *Observer) OpenAs(opening Opening) { o.opening.Store(uint32(opening)) }

// Untracked reports whether there is nothing (more) to track: the connection is a
// tunnel, or of another protocol, or bytes have passed unseen. It stays true.
func (o *Observer) Untracked() bool { return o.untracked.Load() }

// Tunnel reports whether the connection was HTTP/1 until an answer has switched the protocol:
// 101, or a tunnel of CONNECT.
func (o *Observer) Tunnel() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tracker.tunnel
}

// OnReadStart records that a Read begins that Asks.
func (o *Observer) OnReadStart() {
	if !o.sniffReadStart() {
		o.busy.Store(false)
	}
}

// OnRead records p, at least one byte, which the program has read.
func (o *Observer) OnRead(p []byte, draining bool) {
	if o.opening.Load() == uint32(NotOpened) {
		o.opening.CompareAndSwap(uint32(NotOpened), uint32(openingOf(p)))
	}
	if draining {
		o.follow()
	}
	if o.sniffRead(p) {
		return
	}
	o.busy.Store(true)
	if o.untracked.Load() {
		o.unanswered.Store(true)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tracker.Request(p); o.tracker.Untracked() {
		o.unanswered.Store(true)
		o.checkTracker()
	}
}

// OnWrite records p, which is about to be written unchanged. If the Write fails
// and the connection was tracked before, StopTracking must follow. In a drain a tracked
// connection's owner calls Split instead.
func (o *Observer) OnWrite(p []byte) { o.onWrite(p, false) }

// onWrite is OnWrite, and Answered if whole is true.
func (o *Observer) onWrite(p []byte, isWhole bool) {
	if o.untracked.Load() {
		o.busy.Store(true)
		o.unanswered.Store(false)
		return
	}
	if o.sniffWrite(p, isWhole) {
		return
	}
	o.mu.Lock()
	o.tracker.Answer(p, false, false)
	o.checkTracker()
	o.mu.Unlock()
}

// checkTracker makes the Observer untracked if the tracker has given up. The caller
// holds o.mu.
func (o *Observer) checkTracker() {
	if o.tracker.Untracked() && o.pendingHeader == "" && !o.untracked.Swap(true) {
		o.busy.Store(true) // until the next Read begins
	}
}

// StopTracking ends the tracking: bytes have passed, or will pass, unseen.
func (o *Observer) StopTracking() {
	o.mu.Lock()
	o.sniffed.Store(uint32(followed))
	o.tracker.StopTracking()
	o.checkTracker()
	o.mu.Unlock()
}

// Split records p, which is about to be written in a drain, and divides it where
// header lines belong. The parts at even indices are p's bytes, except for what
// denyKeepAlive replaces, and those at odd indices header lines. The first part is nil if the rest of a cut line must
// be written first. Wrote must be called after the parts are written.
//
// If moves is true, another process takes the connection when it is at rest. Then no answer announces the end, unless
// the connection may not move, or doesn't come to rest for maxPutOff answers.
func (o *Observer) Split(p []byte, limiter Limiter, moves bool, socket Socket) [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mustFollow()
	o.writes++
	var parts [][]byte
	if o.pendingHeader != "" {
		parts = append(parts, nil, []byte(o.pendingHeader))
	}
	if o.tracker.inAnnouncedHead() {
		p = denyKeepAlive(p)
	}
	waiting := o.tracker.Boundary() && socket.InputWaiting()
	moves = moves && o.mayMove() && !o.tracker.Endless(waiting)
	for {
		announced := o.tracker.Announced()
		n, announce := o.tracker.Answer(p, announced || !moves && limiter.Allowed(), waiting)
		parts = append(parts, p[:n])
		if !announce {
			o.checkTracker()
			return parts
		}
		if !announced {
			limiter.Count()
		}
		parts, p = append(parts, []byte(Line)), denyKeepAlive(p[n:])
	}
}

// Wrote records the result of writing the parts, and returns how many of the program's
// bytes were written.
func (o *Observer) Wrote(parts [][]byte, sent int64, err error) (n int) {
	n, rest := count(parts, sent)
	o.mu.Lock()
	o.writes--
	o.pendingHeader = rest
	if err != nil {
		o.tracker.StopTracking()
	}
	o.checkTracker()
	o.mu.Unlock()
	return n
}

// count returns how many of the program's bytes are among the first sent bytes of
// parts, and the rest of a header line that was written in part: the next Write must
// begin with it. A line of which nothing was written is left out.
func count(parts [][]byte, sent int64) (n int, rest string) {
	for i, part := range parts {
		k := min(int64(len(part)), sent)
		sent -= k
		if i%2 == 0 {
			n += int(k)
			continue
		}
		begun := k > 0 || i == 1 && parts[0] == nil
		if begun && k < int64(len(part)) {
			return n, string(part[k:])
		}
	}
	return n, ""
}

// Unseen returns how many bytes may be written next without a call of OnWrite or Split.
// Skip records them. If it is math.MaxInt64, so may all that is written from then on.
func (o *Observer) Unseen() int64 {
	if o.untracked.Load() {
		return math.MaxInt64
	}
	if o.load().phase() != followed {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pendingHeader != "" {
		return 0
	}
	return o.tracker.Body()
}

// AfterAnswer reports, in a drain, whether the next byte written begins an answer, and one has ended before.
func (o *Observer) AfterAnswer() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mustFollow()
	return o.tracker.AfterAnswer()
}

// OnCopy records that an unseen copy to the client begins, of unknown length.
func (o *Observer) OnCopy() {
	o.busy.Store(true)
	o.unanswered.Store(false)
}

// Skip records n bytes of a body that were written unseen, and of the error.
func (o *Observer) Skip(n int64, err error) {
	if err != nil {
		o.StopTracking()
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tracker.Skip(n)
}
