// Package http1 watches server-side connections of HTTP/1 by their bytes. It neither
// reads nor writes.
//
// While a worker drains, the next answer on each connection gets [Line] after its status
// line, and the connection ends when no request on it is unanswered. A [Tracker] finds
// the places: it follows every byte and knows where each answer begins and ends and how
// many requests are unanswered, as soon as the program answers with "HTTP/1.". An
// [Observer] is what a connection uses: it only sniffs at the bytes until a drain needs
// a Tracker. A connection that is not plainly HTTP/1 becomes untracked and is left unchanged.
package http1

import (
	"bytes"
	"math"
)

// Line is the header line that announces the end of a connection.
const Line = "Connection: close\r\n"

// maxPutOff is how many answers may go out without the announcement because further
// requests wait. It makes sure that a client whose pipeline never ends gets it too.
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

	untracked bool // not plainly HTTP/1, or no longer; stays true
	tunnel    bool // untracked because an answer has switched the protocol
	known     bool // an answer began with "HTTP/1."
	announced bool // an answer has carried Line
	last      bool // the client or the program has said that no further request follows
	marked    bool // the latest answer carries Line
	pipelined bool // the client has sent a request before it had the answer to another
	putOff    int  // how many answers have gone out without Line though it was due, or would have been but for Endless
	events    uint32
}

// Resume returns a Tracker of a connection on which nothing is half read or half
// written. If known is true, the program has answered as HTTP/1 before. If asked is
// true, one whole request has been read and nothing of its answer written; head tells
// whether it is a HEAD.
func Resume(known, asked, head bool) Tracker {
	t := Tracker{known: known}
	if asked {
		t.open, t.events = 1, 1
	}
	if head {
		t.heads = 1
	}
	return t
}

// Request takes in what the program has read, in order. What isn't plainly a request ends
// the tracking: the program may understand it, and which bytes of its answers are heads
// depends on how.
func (t *Tracker) Request(p []byte) {
	if t.untracked || len(p) == 0 {
		return
	}
	t.events++
	for len(p) > 0 && !t.untracked {
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
		t.pipelined = t.pipelined || t.open > 1
		t.untracked = !isLetter(p[0])
	}
	n, what := t.in.next(p)
	switch what {
	case startLine:
		t.untracked = t.untracked || !t.requestLine(t.in.takeStartLine())
	case headEnd:
		if t.last = t.last || t.in.isLast(); t.connect {
			t.in.state = afterConnect
		} else {
			t.untracked = t.in.frame(false) == broken
		}
	case broken:
		t.untracked = true
	}
	return n
}

// requestLine records what the answer's framing depends on. It reports whether the
// line is a request line that hasn't been answered before it was whole.
func (t *Tracker) requestLine(line []byte) bool {
	method, _, _ := bytes.Cut(line, []byte(" "))
	switch {
	case t.open == 0:
		return false
	case string(method) == "HEAD":
		if t.open > 64 {
			return false
		}
		t.heads |= 1 << (t.open - 1)
	case string(method) == "CONNECT":
		t.connect = true
	case !plainMethod(method):
		return false
	}
	line = trim(line)
	version := len(line) - len("HTTP/1.x")
	t.in.old = version > 0 && bytes.HasSuffix(line, []byte("HTTP/1.0"))
	return len(line) >= maxPart-2 || version > 0 && bytes.HasPrefix(line[version:], prefix)
}

// plainMethod reports whether every program takes a method for the same one, and for none
// on which the answer's framing depends: some accept HEAD and CONNECT in lower case.
func plainMethod(method []byte) bool {
	for _, b := range method {
		if !isToken(b) {
			return false
		}
	}
	return !bytes.EqualFold(method, []byte("HEAD")) && !bytes.EqualFold(method, []byte("CONNECT"))
}

// Answer takes in what the program is about to write, in order, and returns how many
// bytes of p it has taken. If announce is true, Line belongs right after these n bytes,
// and Answer must be called again with the rest; otherwise n is len(p).
//
// announce is true only if due is: in a drain, when the rate limiter allows it. waiting
// tells that input waits that the program hasn't read yet: the answer that announces the
// end should be the last.
func (t *Tracker) Answer(p []byte, due, waiting bool) (n int, announce bool) {
	t.events++
	for n < len(p) && !t.untracked {
		k, what := t.out.next(p[n:])
		n += k
		switch what {
		case more:
			t.untracked = t.out.state == inStart && !couldBe(t.out.part)
		case startLine:
			if t.statusLine(t.out.takeStartLine()) && t.announce(due, waiting) {
				return n, true
			}
		case headEnd:
			t.headEnd()
		case whole:
			t.answered()
		case broken:
			t.untracked = true
		}
	}
	return len(p), false
}

// statusLine records the answer's status. It reports whether the answer is a final one
// after which the connection still speaks HTTP/1. An answer to no request ends the
// tracking: it may be anything.
func (t *Tracker) statusLine(line []byte) bool {
	code := status(line)
	tunnel := code == 101 || code/100 == 2 && t.connect && t.open == 1
	if t.marked = false; code < 100 || tunnel || t.open == 0 {
		t.untracked, t.tunnel = true, tunnel
		return false
	}
	t.out.status, t.out.old = code, line[len(prefix)] == '0'
	t.known = true
	return code >= 200
}

// announce reports whether the answer that has just begun is to carry Line.
func (t *Tracker) announce(due, waiting bool) bool {
	if !due {
		return false
	}
	if t.further(waiting) {
		t.pipelined = true
		if t.putOff++; t.putOff <= maxPutOff {
			return false
		}
	}
	t.announced, t.marked = true, true
	return true
}

// further reports whether the client has sent another request than the oldest. waiting is that of Answer.
func (t *Tracker) further(waiting bool) bool { return t.open > 1 || waiting && t.in.state == atStart }

// Endless reports whether more than maxPutOff answers have begun while the client had sent further requests. It is called before
// Answer if the connection is to be left to another process at rest, which it may never come to.
func (t *Tracker) Endless(waiting bool) bool {
	if t.putOff <= maxPutOff && t.Boundary() && t.further(waiting) {
		t.putOff++
	}
	return t.putOff > maxPutOff
}

// Hasten has no more answers go out without Line because of further requests.
func (t *Tracker) Hasten() { t.putOff = max(t.putOff, maxPutOff) }

// headEnd determines, at the end of an answer's head, how the answer ends.
func (t *Tracker) headEnd() {
	code := t.out.status
	if code < 200 {
		t.out.state = atStart // the final answer to the same request follows
		return
	}
	t.last = t.last || t.out.isLast()
	if bare(code, t.heads&1 != 0) {
		t.out.state = atStart
		t.answered()
		return
	}
	switch t.out.frame(true) {
	case whole:
		t.answered()
	case broken:
		t.untracked = true
	}
}

// bare reports whether an answer with this status has no body, whatever its head says.
func bare(code int, head bool) bool { return head || code == 204 || code == 304 }

// answered removes the oldest request.
func (t *Tracker) answered() {
	t.heads >>= 1
	if t.open > 0 {
		t.open--
	}
	if t.open == 0 && t.connect { // refused: the client may go on
		t.connect = false
		if t.in.state == afterConnect {
			t.in.state = atStart
		}
	}
}

// Body returns how many bytes may be written next without a call of Answer, because
// they can only be an answer's body (or because the Tracker is untracked). Skip
// records them.
func (t *Tracker) Body() int64 {
	switch {
	case t.untracked || t.out.state == inEndless:
		return math.MaxInt64
	case t.out.state == inBody || t.out.state == inChunk:
		return t.out.left
	}
	return 0
}

// Skip records n bytes of a body, at most [Tracker.Body], that were written unseen.
func (t *Tracker) Skip(n int64) {
	if t.untracked || n == 0 {
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
	return !t.untracked && t.known && t.out.state == atStart && t.open == 0 && t.in.state == atStart
}

// Announced reports whether an answer has carried Line.
func (t *Tracker) Announced() bool { return t.announced }

// Last reports whether the client or the program has said itself that the connection ends, by Connection: close or by HTTP/1.0
// without keep-alive.
func (t *Tracker) Last() bool { return t.last }

// Over reports whether the connection is at rest, and its latest answers have announced
// the end to the client.
func (t *Tracker) Over() bool { return t.announced && t.Rest() }

// Owes reports whether a whole request is unanswered, or an answer has begun.
func (t *Tracker) Owes() bool {
	return t.out.state != atStart || t.open > 1 || t.open == 1 && t.in.state == atStart
}

// Pipelined reports whether the client has sent a request before it had the answer to
// another.
func (t *Tracker) Pipelined() bool { return t.pipelined }

// inAnnouncedHead reports whether the next byte written begins a header line of an answer
// that carries Line.
func (t *Tracker) inAnnouncedHead() bool {
	return t.marked && !t.untracked && t.out.state == inHead && len(t.out.part) == 0
}

// Boundary reports whether the next byte written begins an answer.
func (t *Tracker) Boundary() bool { return !t.untracked && t.out.state == atStart }

// AfterAnswer reports whether the next byte written begins an answer, and a final one has ended before.
func (t *Tracker) AfterAnswer() bool {
	return t.Boundary() && (t.out.status >= 200 || t.out.status == 0 && t.known)
}

// Untracked reports whether the connection isn't followed any more: it is a tunnel, or
// of another protocol, or had bytes that can't be followed. It stays true.
func (t *Tracker) Untracked() bool { return t.untracked }

// StopTracking makes the Tracker untracked. Its owner calls it if it can't report all
// bytes.
func (t *Tracker) StopTracking() { t.untracked = true }

// Events counts the calls that took in something. Two equal results, some time
// apart, mean that nothing happened in between.
func (t *Tracker) Events() uint32 { return t.events }
