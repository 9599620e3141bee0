package rotahttp

import (
	"sync"
	"time"
)

// net/http shuts HTTP/2 down with one GOAWAY that names the last stream it has seen, so
// that a request on its way at that moment is refused. RFC 9113, section 6.8, recommends
// two: a first GOAWAY with last stream 2^31-1, and, when the client has had the time to
// stop opening streams, a second one with the real last stream. This package sends the
// first, with a PING behind it: an http2Conn writes them between two frames of the server.
// net/http sends the second, in Shutdown. A client that answers the PING has read the GOAWAY.

const (
	// goAwayTime is how long after the first GOAWAY the second may follow, at the earliest.
	goAwayTime = time.Second

	// answerTime is how long after the answer to the PING the second may follow, at the
	// earliest: the client may have numbered a request before it read the GOAWAY, and send it
	// after the answer.
	answerTime = 100 * time.Millisecond

	// noAnswerTime is how long after the first GOAWAY the second may follow a PING that was not
	// answered.
	noAnswerTime = 5 * time.Second
)

// goAwayFrames are a GOAWAY with the highest possible last stream, 2^31-1, and NO_ERROR, which
// tells the client to open no more streams and refuses none of those on their way (RFC 9113,
// section 6.8), and a PING with pingData.
var goAwayFrames = []byte("\x00\x00\x08\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00" +
	"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + pingData)

const (
	pingData   = "rotahttp"
	answerHead = "\x00\x00\x08\x06\x01" // length, type and flags of a PING that answers one
)

// goAwayTimes say when a client was sent its GOAWAY and answered. The zero value is for one that wasn't.
type goAwayTimes struct {
	mu       sync.Mutex
	sent     time.Time // what the GOAWAY is scheduled for
	answered time.Time // when the PING was answered; zero: not yet
}

func (t *goAwayTimes) send(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = at
}

func (t *goAwayTimes) answer() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answered.IsZero() {
		t.answered = time.Now()
	}
}

// obeyed reports whether the second GOAWAY refuses no request any more.
func (t *goAwayTimes) obeyed(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answered.IsZero() {
		return now.Sub(t.sent) >= noAnswerTime
	}
	return now.Sub(t.sent) >= goAwayTime && now.Sub(t.answered) >= answerTime
}

// answerTracker follows the frames that a client sends, to find the answer to the PING.
type answerTracker struct {
	frameTracker
	data [len(pingData)]byte // the data of an answer to a PING so far
}

// read moves past p, which the client has sent, and reports whether an answer ends in it.
func (a *answerTracker) read(p []byte) (answered bool) {
	for len(p) > 0 {
		left, isAnswer := a.payloadLeft, string(a.header[:len(answerHead)]) == answerHead
		n := a.step(p)
		if isAnswer && left > 0 {
			copy(a.data[len(a.data)-left:], p[:n])
			answered = answered || a.payloadLeft == 0 && string(a.data[:]) == pingData
		}
		p = p[n:]
	}
	return answered
}
