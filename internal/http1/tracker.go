// Package http1 watches one server-side connection by its bytes and knows, as
// soon as the program answers with "HTTP/1.", where each answer begins, where
// it ends and how many requests are still unanswered. It neither reads nor
// writes: a [Tracker] is a pure state machine, fed with what the program has
// read and with what it is about to write.
//
// It exists for one purpose: while a worker drains, the next answer on each
// connection gets [Line] after its status line, and the connection ends when
// nothing is owed on it. Whatever is not plainly HTTP/1 makes the Tracker dark:
// from then on it says "nothing to do here" to everything.
package http1

import (
	"bytes"
	"math"
)

// Line is the header line that announces the end of a connection.
const Line = "Connection: close\r\n"

// maxPutOff bounds how many answers go out without the announcement because
// further requests are in hand, so that a client that never lets its pipeline
// run dry is told in the end too.
const maxPutOff = 64

// A Tracker follows one connection. The zero value is a connection on which
// nothing has happened yet. It has no lock: its owner calls it from one
// goroutine at a time.
type Tracker struct {
	in, out message // requests and answers

	// open counts the requests of which at least one byte has been read and whose
	// final answer is not complete; bit i of heads says that the i-th oldest of
	// them is a HEAD, connect that the newest is a CONNECT.
	open    int
	heads   uint64
	connect bool

	dark      bool // not HTTP/1, or no longer: hands off for ever
	known     bool // an answer began with "HTTP/1."
	announced bool // an answer has carried Line
	lost      bool // the requests make no sense to us (the program may know better)
	inHand    bool // something was read since the latest answer ended
	putOff    int
	events    uint32
}

// StatusSize is how much of an answer [Status] wants to see.
const StatusSize = len("HTTP/1.x nnn ")

// Status returns the status code of an answer that begins with p, or 0 if it is not
// HTTP/1's, or p is too short to tell.
func Status(p []byte) int { return status(p[:min(len(p), StatusSize)]) }

// Resume returns a Tracker of a connection at a moment at which nothing is half read
// or half written. Known says that the program has answered as HTTP/1 before; asked,
// that one whole request has been read and nothing of its answer written; head, that
// it is a HEAD.
func Resume(known, asked, head bool) Tracker {
	t := Tracker{known: known, inHand: asked}
	if asked {
		t.open, t.events = 1, 1
	}
	if head {
		t.heads = 1
	}
	return t
}

// Request takes in what the program has read, in order.
func (t *Tracker) Request(p []byte) {
	if t.dark || len(p) == 0 {
		return
	}
	t.events++
	if t.lost && !t.inHand && t.out.state == atStart {
		t.resync()
	}
	t.inHand = true
	for len(p) > 0 && !t.lost {
		p = p[t.request(p):]
	}
}

// request takes in what belongs to one step of the parser.
func (t *Tracker) request(p []byte) int {
	if t.in.state == atStart {
		if p[0] == '\r' || p[0] == '\n' { // allowed between requests
			return 1
		}
		t.open++
		t.lost = !isLetter(p[0])
	}
	n, what := t.in.next(p)
	switch what {
	case startLine:
		t.lost = t.lost || !t.requestLine(t.in.take())
	case headEnd:
		if t.connect {
			t.in.state = held
		} else {
			t.lost = t.in.frame(false) == broken
		}
	case broken:
		t.lost = true
	}
	return n
}

// requestLine notes what the answer's framing depends on. It reports whether
// the line is a request's at all.
func (t *Tracker) requestLine(line []byte) bool {
	switch {
	case bytes.HasPrefix(line, []byte("HEAD ")):
		if t.open > 64 {
			return false
		}
		t.heads |= 1 << (t.open - 1)
	case bytes.HasPrefix(line, []byte("CONNECT ")):
		t.connect = true
	}
	line = trim(line)
	version := len(line) - len("HTTP/1.x")
	return len(line) >= maxPart-2 || version > 0 && bytes.HasPrefix(line[version:], prefix)
}

// resync forgets requests that made no sense, now that they are answered.
func (t *Tracker) resync() {
	t.in.state, t.in.part = atStart, t.in.part[:0]
	t.open, t.heads, t.connect, t.lost = 0, 0, false, false
}

// Answer takes in what the program is about to write, in order, and returns how
// much of p it has taken. If announce is true, Line belongs right after these n
// bytes, and Answer wants to be called again with the rest; otherwise n is len(p).
//
// Line is asked for only when due is true: in a drain, when it is this connection's turn.
// waiting says that input waits that the program has not read yet: an answer that others
// will follow is not the one to announce the end with.
func (t *Tracker) Answer(p []byte, due, waiting bool) (n int, announce bool) {
	t.events++
	for n < len(p) && !t.dark {
		k, what := t.out.next(p[n:])
		n += k
		switch what {
		case more:
			t.dark = t.out.state == inStart && !couldBe(t.out.part)
		case startLine:
			if t.statusLine(t.out.take()) && t.announce(due, waiting) {
				return n, true
			}
		case headEnd:
			t.headEnd()
		case whole:
			t.answered()
		case broken:
			t.dark = true
		}
	}
	return len(p), false
}

// statusLine notes what the answer is. It reports whether it is a final one,
// after which the connection goes on to speak HTTP/1.
func (t *Tracker) statusLine(line []byte) bool {
	code := status(line)
	tunnel := code == 101 || code/100 == 2 && t.connect && t.open == 1
	if code < 100 || tunnel {
		t.dark = true
		return false
	}
	t.out.status = code
	t.known = true
	return code >= 200
}

// announce decides whether the answer that has just begun carries Line.
func (t *Tracker) announce(due, waiting bool) bool {
	if !due {
		return false
	}
	pipelined := !t.lost && (t.open > 1 || waiting && t.in.state == atStart)
	if pipelined && t.putOff < maxPutOff {
		t.putOff++
		return false
	}
	t.announced = true
	return true
}

// headEnd finds out how the answer ends whose head has just ended.
func (t *Tracker) headEnd() {
	code := t.out.status
	if code < 200 {
		t.out.state = atStart // the final answer to the same request follows
		return
	}
	bare := t.heads&1 != 0 || code == 204 || code == 304
	if bare {
		t.out.state = atStart
		t.answered()
		return
	}
	switch t.out.frame(true) {
	case whole:
		t.answered()
	case broken:
		t.dark = true
	}
}

// answered strikes the oldest request off the list.
func (t *Tracker) answered() {
	t.inHand = false
	t.heads >>= 1
	if t.open > 0 {
		t.open--
	}
	if t.open == 0 && t.connect { // refused: the client may go on
		t.connect = false
		if t.in.state == held {
			t.in.state = atStart
		}
	}
}

// Body returns how many bytes may be written next unseen, because they can only
// be an answer's body (or because the Tracker is dark). Skip takes note of them.
func (t *Tracker) Body() int64 {
	switch {
	case t.dark || t.out.state == inEndless:
		return math.MaxInt64
	case t.out.state == inBody || t.out.state == inChunk:
		return t.out.left
	}
	return 0
}

// Skip takes note of n bytes of a body, at most [Tracker.Body], that were written unseen.
func (t *Tracker) Skip(n int64) {
	if t.dark || n == 0 {
		return
	}
	t.events++
	if t.out.state != inEndless && t.out.skip(n) == whole {
		t.answered()
	}
}

// Rest reports whether the program has answered at least once, has answered
// all that it has read, and has read no part of a request since.
func (t *Tracker) Rest() bool {
	if t.dark || !t.known || t.out.state != atStart {
		return false
	}
	if t.lost {
		return !t.inHand
	}
	return t.open == 0 && t.in.state == atStart
}

// Announced reports whether an answer has carried Line.
func (t *Tracker) Announced() bool { return t.announced }

// Over reports whether the connection has served its purpose: at rest, and the
// client has been told with the latest answer that there will be no other.
func (t *Tracker) Over() bool { return t.announced && t.Rest() }

// Boundary reports whether the next byte written begins an answer.
func (t *Tracker) Boundary() bool { return !t.dark && t.out.state == atStart }

// Dark reports whether the Tracker has given up on the connection for ever: a
// tunnel, another protocol, or bytes that it could not follow.
func (t *Tracker) Dark() bool { return t.dark }

// GiveUp makes the Tracker dark, for an owner that can no longer show it all bytes.
func (t *Tracker) GiveUp() { t.dark = true }

// Events counts the calls that took in something. Two equal results, some time
// apart, mean that nothing happened in between.
func (t *Tracker) Events() uint32 { return t.events }
