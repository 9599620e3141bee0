package http1

import "bytes"

// phase is what an Observer knows of a connection whose bytes it doesn't follow.
// Before a drain nothing more is needed, and following every byte costs a busy
// keep-alive connection three percent (docs/decisions/0019). Each phase says exactly what
// is read and written, so that the tracker can take over at any moment: whatever
// can't be said by one of the others is followed.
//
// The table gives the next phase for each phase and event. The events are a Read that
// begins with room for more than one byte; what a Read returned: one byte, a whole GET
// or HEAD without a body and nothing after it, or anything else; what is written: a
// whole answer, the beginning of a final answer, an informational one (1xx but not 101),
// fewer bytes than a status line needs, or anything else, 101 included; and a drain.
// "untracked" is the phase followed of a connection whose tracking has ended
// permanently. TestPhaseTable reads this comment.
//
//	phase         | Read starts | 1 byte    | GET       | HEAD          | other    | whole     | begins    | 1xx       | too short | not HTTP  | drain
//	asking        | asking      | followed  | requested | requestedHead | followed | untracked | untracked | untracked | followed  | untracked | followed
//	begun         | begun       | followed  | requested | requestedHead | followed | followed  | followed  | followed  | followed  | untracked | followed
//	requested     | followed    | early     | followed  | followed      | followed | answered  | followed  | followed  | followed  | untracked | followed
//	requestedHead | followed    | earlyHead | followed  | followed      | followed | answered  | followed  | followed  | followed  | untracked | followed
//	early         | followed    | followed  | followed  | followed      | followed | peeked    | followed  | followed  | followed  | untracked | followed
//	earlyHead     | followed    | followed  | followed  | followed      | followed | peeked    | followed  | followed  | followed  | untracked | followed
//	answered      | asking      | peeked    | followed  | followed      | followed | untracked | untracked | untracked | followed  | untracked | followed
//	peeked        | begun       | followed  | followed  | followed      | followed | followed  | followed  | followed  | followed  | untracked | followed
//	followed      | followed    | followed  | followed  | followed      | followed | followed  | followed  | followed  | followed  | untracked | followed
type phase uint8

const (
	asking        phase = iota // everything read is answered, and the program reads the next request
	begun                      // as asking, and one byte of the next request has been read
	requested                  // one whole request has been read, and nothing after it
	requestedHead              // as requested, and the request is a HEAD
	early                      // as requested, and one byte after the request
	earlyHead                  // as requestedHead, and one byte after the request
	answered                   // everything read is answered, and the program hasn't begun to read since
	peeked                     // as answered, and one byte of the next request has been read
	followed                   // the tracker sees every byte; this phase is final
)

// String returns the name of the phase, as the table has it.
func (ph phase) String() string {
	names := [...]string{"asking", "begun", "requested", "requestedHead", "early", "earlyHead", "answered", "peeked", "followed"}
	if int(ph) < len(names) {
		return names[ph]
	}
	return "invalid"
}

// sniffed is all that an Observer knows of a connection that isn't followed, in one word,
// so that nothing in it can change between a look and the swap that depends on it: a
// phase, the one byte that was read (begun, early, earlyHead, peeked), and whether the
// program has answered as HTTP/1.
type sniffed uint32

const (
	byteShift           = 8
	hasAnswered sniffed = 1 << 16
)

func (s sniffed) phase() phase { return phase(s) }

// first returns the byte that was read of the next request.
func (s sniffed) first() byte { return byte(s >> byteShift) }

// to returns s in another phase, with the same byte.
func (s sniffed) to(ph phase) sniffed { return s&^0xff | sniffed(ph) }

// with returns s with another byte.
func (s sniffed) with(first byte) sniffed { return s&^(0xff<<byteShift) | sniffed(first)<<byteShift }

func (o *Observer) load() sniffed { return sniffed(o.sniffed.Load()) }

func (o *Observer) swap(from, to sniffed) bool {
	return o.sniffed.CompareAndSwap(uint32(from), uint32(to))
}

// sniffReadStart records that a Read with room for more than one byte begins. It reports
// false if the connection is followed.
func (o *Observer) sniffReadStart() bool {
	for {
		s := o.load()
		next := asking
		switch s.phase() {
		case asking, begun:
			return true
		case followed:
			return false
		case peeked:
			next = begun
		case requested, requestedHead, early, earlyHead:
			o.follow()
			continue
		}
		if o.swap(s, s.to(next)) {
			return true
		}
	}
}

// sniffRead records what was read. It reports false if the tracker must see it.
func (o *Observer) sniffRead(p []byte) bool {
	for {
		s := o.load()
		next := s.to(afterRead(s, p))
		switch next.phase() {
		case followed:
			o.follow()
			return false
		case early, earlyHead, peeked:
			next = next.with(p[0])
		}
		if o.swap(s, next) {
			return true
		}
	}
}

// afterRead returns the phase after p was read.
func afterRead(s sniffed, p []byte) phase {
	switch ph := s.phase(); {
	case ph == asking:
		return sniffRequest(p[0], p[1:])
	case ph == begun:
		return sniffRequest(s.first(), p)
	case len(p) > 1:
		return followed
	case ph == requested:
		return early
	case ph == requestedHead:
		return earlyHead
	case ph == answered:
		return peeked
	}
	return followed
}

// sniffRequest returns the phase after p was read, where first is the first byte of
// the request and rest what was read after it. It returns followed if only the
// tracker can tell: the request has a body, or other requests follow it, or it is
// incomplete, or it may open a tunnel.
func sniffRequest(first byte, rest []byte) phase {
	switch {
	case first == 'G' && bytes.HasPrefix(rest, []byte("ET ")) && plainHead(rest):
		return requested
	case first == 'H' && bytes.HasPrefix(rest, []byte("EAD ")) && plainHead(rest):
		return requestedHead
	}
	return followed
}

// plainHead reports whether p is the rest of a request's head, to its blank line, without a
// body: it has the version of HTTP/1.1, no folded line, and no field that may announce a body or the
// end of the connection.
func plainHead(p []byte) bool {
	n := bytes.IndexByte(p, '\n') + 1
	if !versioned(p[:n]) {
		return false
	}
	for p = p[n:]; n > 0 && len(p) > 0; p = p[n:] {
		switch n = bytes.IndexByte(p, '\n') + 1; p[0] {
		case '\r':
			return n == len(p) && n == len("\r\n")
		case '\n', ' ', '\t':
			return false
		case 'c', 'C':
			if begins(p, "content-") || begins(p, "connection") && !begins(p, "connection: keep-alive\r\n") {
				return false
			}
		case 't', 'T':
			if begins(p, "transfer-") {
				return false
			}
		}
	}
	return false
}

// versioned reports whether line, which ends with a line feed or is empty, ends as the
// request line of HTTP/1.1 does.
func versioned(line []byte) bool {
	at := len(line) - len(" HTTP/1.1\r\n")
	return at >= 0 && string(line[at:]) == " HTTP/1.1\r\n"
}

// sniffWrite records what is written. isWhole tells that it is the whole answer to the one
// request that has been read. It reports false if the tracker must see it: anything else.
func (o *Observer) sniffWrite(p []byte, isWhole bool) bool {
	for len(p) > 0 {
		s := o.load()
		next, head := answered, false
		switch s.phase() {
		case early, earlyHead:
			next, head = peeked, s.phase() == earlyHead
		case requested, requestedHead:
			head = s.phase() == requestedHead
		default:
			o.follow()
			return false
		}
		if !isWhole && !wholeAnswer(p, head) {
			o.follow()
			return false
		}
		if o.swap(s, s.to(next)|hasAnswered) {
			return true
		}
	}
	return true
}

// Answers reports whether p is the whole answer to the one request that has been read. Then
// it may be recorded when it has been written, by Answered: until then the request counts as
// one that isn't answered.
func (o *Observer) Answers(p []byte) bool {
	switch o.load().phase() {
	case requested, early:
		return wholeAnswer(p, false)
	case requestedHead, earlyHead:
		return wholeAnswer(p, true)
	}
	return false
}

// Answered records p, of which Answers was true, after it was written.
func (o *Observer) Answered(p []byte) { o.onWrite(p, true) }

// wholeAnswer reports whether p is one final answer, from its status line to the end of a
// body that Content-Length announces. head tells whether the request is a HEAD.
func wholeAnswer(p []byte, head bool) bool {
	n := bytes.IndexByte(p, '\n') + 1
	code := status(p[:n])
	if code < 200 {
		return false
	}
	length, p, ok := lengthOf(p[n:])
	if !ok || bare(code, head) {
		return ok && len(p) == 0
	}
	return length == int64(len(p))
}

// lengthOf returns the Content-Length of an answer whose header lines begin p, -1 if it has
// none, and what follows its head. It reports false of a head that isn't plain: whose end is
// not in p, or that has another field for the body, or a folded line.
func lengthOf(p []byte) (length int64, body []byte, ok bool) {
	length = -1
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n') + 1
		if n == 0 {
			return 0, nil, false
		}
		switch p[0] {
		case '\r':
			return length, p[n:], n == len("\r\n")
		case '\n':
			return length, p[n:], true
		case ' ', '\t':
			return 0, nil, false
		case 't', 'T':
			if begins(p, "transfer-encoding") {
				return 0, nil, false
			}
		case 'c', 'C':
			if !begins(p, "content-length") {
				break
			}
			value, ok := valueOf(p[:n], "content-length")
			if !ok || length >= 0 {
				return 0, nil, false
			}
			if length, ok = number(value); !ok {
				return 0, nil, false
			}
		}
		p = p[n:]
	}
	return 0, nil, false
}

// follow lets the tracker take over. It is idempotent. Callers that hold o.mu call
// mustFollow.
func (o *Observer) follow() {
	if o.load().phase() == followed {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mustFollow()
}

// mustFollow is follow for a caller that holds o.mu.
func (o *Observer) mustFollow() {
	for {
		s := o.load()
		ph := s.phase()
		if ph == followed {
			return
		}
		o.busy.Store(ph != asking && ph != begun)
		asked := ph >= requested && ph <= earlyHead
		o.tracker = Resume(s&hasAnswered != 0, asked, ph == requestedHead || ph == earlyHead)
		if ph == begun || ph == early || ph == earlyHead || ph == peeked {
			o.tracker.Request([]byte{s.first()})
		}
		if o.swap(s, s.to(followed)) {
			o.unanswered.Store(o.tracker.Untracked())
			o.checkTracker()
			return
		}
	}
}
