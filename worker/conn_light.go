package worker

import (
	"bytes"

	"github.com/rota-go/rota/internal/http1"
)

// phase is what is known of a conn that is not followed byte by byte. Nobody needs
// more before a drain, and to follow every byte costs a busy keep-alive connection
// three percent (docs/decisions/0019). A drain takes the conn over in one of the
// first four phases, at once or when the conn comes to one; until then it is left
// alone.
type phase = uint32

const (
	asking    phase = iota // all that was read is answered, and the program asks for more
	begun                  // so, but for the one byte that is in conn.ahead
	inHand                 // one whole request has been read, and no part of another
	headHand               // so, and it is a HEAD
	early                  // one whole request, and the byte that is in conn.ahead
	unclear                // something has been read that may be less than a request, or more
	answering              // the program has written since
	peeked                 // so, and one byte has been read meanwhile: net/http looks out for the client
	behind                 // so, and more has been read
	followed               // the tracker sees every byte; for good
)

// asks takes note of a Read with room for more than a byte that begins. One that begins
// before the answer, or while a copy goes out, is that of a goroutine which only reads:
// it says nothing of the answers.
func (c *conn) asks() {
	switch ph := c.phase.Load(); ph {
	case inHand, headHand:
		c.follow()
	case answering:
		c.phase.CompareAndSwap(ph, asking)
	case peeked:
		c.phase.CompareAndSwap(ph, begun)
	case behind:
		c.phase.CompareAndSwap(ph, unclear)
	case followed:
		c.busy.Store(false)
	}
	if c.sends.Load() && !c.dark.Load() { // look at it last, as sendRest does at the phase
		c.giveUp()
	}
}

// glances takes in what was read. It reports whether that is all there is to do.
func (c *conn) glances(p []byte) bool {
	for {
		ph := c.phase.Load()
		next := unclear
		switch ph {
		case followed:
			return false
		case asking:
			next = request(p[0], p)
		case begun:
			next = request(byte(c.ahead.Load()), p)
		case inHand, headHand:
			if len(p) == 1 {
				next = early
				c.ahead.Store(uint32(p[0]))
			}
		case answering:
			if next = behind; len(p) == 1 {
				next = peeked
				c.ahead.Store(uint32(p[0]))
			}
		case peeked, behind:
			next = behind
		}
		if next == followed {
			c.follow()
			return false
		}
		if c.phase.CompareAndSwap(ph, next) {
			return true
		}
	}
}

// request says what a first piece of input is, of a request that begins with first.
// Followed is for what a glance can't tell: where a body ends, or a pipeline, or the
// beginning of a tunnel.
func request(first byte, p []byte) phase {
	const end = "\r\n\r\n"
	switch {
	case len(p) < len("ET / HTTP/1.1"+end), first != 'G' && first != 'H':
		return followed
	case bytes.Index(p, []byte(end)) != len(p)-len(end), hasBody(p):
		return followed
	case first == 'H':
		return headHand
	}
	return inHand
}

// hasBody reports whether a body may follow the head p.
func hasBody(p []byte) bool {
	return bytes.Contains(p, []byte("ontent-")) || bytes.Contains(p, []byte("ransfer-"))
}

// answers takes in what is about to be written. It reports whether that is all there
// is to do.
func (c *conn) answers(p []byte) bool {
	ph := c.phase.Load()
	switch {
	case ph == followed:
		return false
	case ph == answering, ph == peeked, ph == behind, len(p) == 0:
		return true
	}
	next := answering
	switch code := http1.Status(p); {
	case code == 0 && ph != unclear && len(p) < http1.StatusSize:
		c.follow()
		return false
	case code == 0, code == 101:
		c.giveUp()
		return true
	case code < 200:
		if ph <= headHand {
			c.follow()
			return false
		}
		next = ph
	default:
		c.known.Store(true)
		if ph == early {
			next = peeked
		}
	}
	return c.phase.CompareAndSwap(ph, next) || c.answers(p)
}

// follow has the tracker see every byte from here on, where it can.
func (c *conn) follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sync()
}

// sync takes the conn over for the tracker, if it is in a phase from where the rest
// can be followed. It reports whether the conn is followed. c.mu is held.
func (c *conn) sync() bool {
	for {
		ph := c.phase.Load()
		if ph == followed || ph > headHand {
			return ph == followed
		}
		c.busy.Store(ph != asking)
		c.track = http1.Resume(c.known.Load(), ph == inHand || ph == headHand, ph == headHand)
		if ph == begun {
			c.track.Request([]byte{byte(c.ahead.Load())})
		}
		if c.phase.CompareAndSwap(ph, followed) {
			return true
		}
	}
}
