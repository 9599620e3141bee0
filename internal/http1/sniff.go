package http1

import "bytes"

// phase is what an Observer knows of a connection whose bytes it doesn't follow.
// Before a drain nothing more is needed, and following every byte costs a busy
// keep-alive connection three percent (docs/decisions/0019).
//
// The table gives the next phase for each phase and event. The events are a Read that
// begins with room for more than one byte; what a Read returned: one byte, a whole GET
// or HEAD without a body and nothing after it, or anything else; what is written: a
// whole final answer and nothing more, another beginning of a final one, an informational
// one (1xx but not 101), fewer bytes than a status line needs, or anything else, 101
// included; and a drain. "untracked" is the phase
// followed of a connection whose tracking has ended permanently. TestPhaseTable reads
// this comment.
//
//	phase         | Read starts | 1 byte   | GET       | HEAD          | other    | whole     | part      | 1xx       | too short | not HTTP  | drain
//	asking        | asking      | followed | requested | requestedHead | followed | answering | followed  | followed  | followed  | untracked | followed
//	begun         | begun       | followed | requested | requestedHead | followed | answering | followed  | followed  | followed  | untracked | followed
//	requested     | followed    | early    | unclear   | unclear       | unclear  | answering | followed  | followed  | followed  | untracked | followed
//	requestedHead | followed    | early    | unclear   | unclear       | unclear  | answering | followed  | followed  | followed  | untracked | followed
//	early         | early       | unclear  | unclear   | unclear       | unclear  | peeked    | peeked    | early     | early     | untracked | early
//	unclear       | unclear     | unclear  | unclear   | unclear       | unclear  | answering | answering | unclear   | untracked | untracked | unclear
//	answering     | asking      | peeked   | behind    | behind        | behind   | answering | answering | answering | answering | answering | answering
//	peeked        | begun       | behind   | behind    | behind        | behind   | peeked    | peeked    | peeked    | peeked    | peeked    | peeked
//	behind        | unclear     | behind   | behind    | behind        | behind   | behind    | behind    | behind    | behind    | behind    | behind
//	followed      | followed    | followed | followed  | followed      | followed | followed  | followed  | followed  | followed  | untracked | followed
type phase uint32

const (
	asking        phase = iota // everything read is answered, and the program reads the next request
	begun                      // as asking, and Observer.peekedByte is the first byte of the next request
	requested                  // one whole request has been read, and nothing after it
	requestedHead              // as requested, and the request is a HEAD
	early                      // as requested, and Observer.peekedByte was read after it
	unclear                    // what was read may be less or more than one request
	answering                  // the program has begun to answer
	peeked                     // as answering, and Observer.peekedByte was read meanwhile
	behind                     // as answering, and more than one byte was read meanwhile
	followed                   // the tracker sees every byte; this phase is final
)

// String returns the name of the phase, as the table has it.
func (ph phase) String() string {
	names := [...]string{"asking", "begun", "requested", "requestedHead", "early", "unclear", "answering", "peeked", "behind", "followed"}
	if int(ph) < len(names) {
		return names[ph]
	}
	return "invalid"
}

func (o *Observer) loadPhase() phase { return phase(o.phase.Load()) }

func (o *Observer) swapPhase(from, to phase) bool {
	return o.phase.CompareAndSwap(uint32(from), uint32(to))
}

// sniffRead records what was read. It reports false if the tracker must see it.
func (o *Observer) sniffRead(p []byte) bool {
	for {
		ph := o.loadPhase()
		next := unclear
		switch ph {
		case followed:
			return false
		case asking:
			next = sniffRequest(p[0], p[1:])
		case begun:
			next = sniffRequest(byte(o.peekedByte.Load()), p)
		case requested, requestedHead:
			if len(p) == 1 {
				next = early
				o.peekedByte.Store(uint32(p[0]))
			}
		case answering:
			if next = behind; len(p) == 1 {
				next = peeked
				o.peekedByte.Store(uint32(p[0]))
			}
		case peeked, behind:
			next = behind
		}
		if next == followed {
			o.follow()
			return false
		}
		if next == unclear || next == behind {
			o.inexact.Store(true)
		}
		if o.swapPhase(ph, next) {
			return true
		}
	}
}

// sniffRequest returns the phase after p was read, where first is the first byte of
// the request and rest what was read after it. It returns followed if only the
// tracker can tell: the request has a body, or other requests follow it, or it is
// incomplete, or it may open a tunnel.
func sniffRequest(first byte, rest []byte) phase {
	const end = "\r\n\r\n"
	switch {
	case len(rest) < len("ET / HTTP/1.1"+end):
		return followed
	case bytes.Index(rest, []byte(end)) != len(rest)-len(end), !plainHead(rest):
		return followed
	case first == 'H' && bytes.HasPrefix(rest, []byte("EAD ")):
		return requestedHead
	case first == 'G' && bytes.HasPrefix(rest, []byte("ET ")):
		return requested
	}
	return followed
}

// plainHead reports whether p, which ends with a blank line, is a head without a body:
// it has no other blank line, no folded line, and no field that may announce a body.
func plainHead(p []byte) bool {
	for {
		p = p[bytes.IndexByte(p, '\n')+1:]
		if len(p) <= len("\r\n") {
			return true
		}
		switch p[0] {
		case '\n', '\r', ' ', '\t':
			return false
		case 'c', 'C':
			if begins(p, "content-") {
				return false
			}
		case 't', 'T':
			if begins(p, "transfer-") {
				return false
			}
		}
	}
}

// sniffWrite records what is about to be written. It reports false if the
// tracker must see it.
func (o *Observer) sniffWrite(p []byte) bool {
	ph := o.loadPhase()
	switch {
	case ph == followed:
		return false
	case len(p) == 0:
		return true
	case ph == answering, ph == peeked, ph == behind:
		o.inexact.Store(true)
		return true
	}
	next := answering
	switch code := Status(p); {
	case code == 0 && ph != unclear && len(p) < StatusSize:
		o.follow()
		return false
	case code == 0, code == 101:
		o.switched.Store(code == 101)
		o.StopTracking()
		return true
	case code < 200:
		if ph <= requestedHead {
			o.follow()
			return false
		}
		next = ph
	default:
		whole := isWhole(p, code, ph == requestedHead)
		if !whole && ph <= requestedHead {
			o.follow() // only the tracker can tell where it ends
			return false
		}
		if !whole || ph == unclear {
			o.inexact.Store(true)
		}
		o.answered.Store(true)
		if ph == early {
			next = peeked
		}
	}
	return o.swapPhase(ph, next) || o.sniffWrite(p)
}

// isWhole reports whether p, which begins with a final status line, is an answer with its
// body and nothing more, to a HEAD if head is true.
func isWhole(p []byte, code int, head bool) bool {
	size, bare := int64(-1), head || code == 204 || code == 304
	for end := bytes.IndexByte(p, '\n') + 1; end > 0; {
		p = p[end:]
		if end = bytes.IndexByte(p, '\n') + 1; end == 0 {
			break
		}
		switch line := p[:end]; line[0] {
		case '\r', '\n':
			body := int64(len(p) - end)
			return len(trim(line)) == 0 && (bare && body == 0 || !bare && body == size)
		case ' ', '\t':
			return false
		case 't', 'T':
			if begins(line, "transfer-") {
				return false
			}
		case 'c', 'C':
			if value, ok := valueOf(line, "content-length"); ok {
				n, valid := number(value)
				if !valid || size >= 0 {
					return false
				}
				size = n
			}
		}
	}
	return false
}

// follow is tryFollow for a caller that doesn't hold o.mu.
func (o *Observer) follow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tryFollow()
}

// tryFollow lets the tracker take over if nothing is half read or half written in the
// present phase. It reports whether the connection is followed. The caller holds o.mu.
func (o *Observer) tryFollow() bool {
	for {
		ph := o.loadPhase()
		if ph == followed || ph > requestedHead {
			return ph == followed
		}
		o.busy.Store(ph != asking)
		o.tracker = Resume(o.answered.Load(), ph == requested || ph == requestedHead, ph == requestedHead)
		if ph == begun {
			o.tracker.Request([]byte{byte(o.peekedByte.Load())})
		}
		if o.swapPhase(ph, followed) {
			return true
		}
	}
}
