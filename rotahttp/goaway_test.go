package rotahttp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestGoAwayObeyed(t *testing.T) {
	sent := time.Now()
	for _, c := range []struct {
		answered, now time.Duration // after the GOAWAY; answered 0: not
		want          bool
	}{
		{0, goAwayTime, false},
		{0, noAnswerTime - 1, false},
		{0, noAnswerTime, true},
		{time.Millisecond, goAwayTime - 1, false},
		{time.Millisecond, goAwayTime, true},
		{goAwayTime, goAwayTime + answerTime - 1, false},
		{goAwayTime, goAwayTime + answerTime, true},
		{2 * noAnswerTime, 2*noAnswerTime + answerTime, true},
	} {
		times := goAwayTimes{sent: sent}
		if c.answered > 0 {
			times.answered = sent.Add(c.answered)
		}
		if got := times.obeyed(sent.Add(c.now)); got != c.want {
			t.Errorf("answered after %v, obeyed after %v: %v", c.answered, c.now, got)
		}
	}
}

// The answer to the PING is found however the bytes are split into reads, and nothing else is
// taken for it.
func TestAnswerIsFound(t *testing.T) {
	others := slices.Concat(settings, frame(frameHeaders, flagEndHeaders, 30), pingFrame(0, pingData), pingFrame(1, "rotahttq"),
		frame(frameData, 1, 8), frame(framePing, 1, 9), frame(framePing, 1, 0))
	for range 1000 {
		if n := answersIn(others); n != 0 {
			t.Fatalf("%d answers found where none is", n)
		}
		if n := answersIn(slices.Concat(others, pingFrame(1, pingData), others)); n != 1 {
			t.Fatalf("%d answers found, want 1", n)
		}
	}
	if n := answersIn(slices.Concat([]byte("another protocol"), pingFrame(1, pingData))); n != 0 {
		t.Error("an answer was found in another protocol")
	}
}

func pingFrame(flags byte, data string) []byte {
	f := frame(framePing, flags, len(data))
	f[8] = 0
	copy(f[9:], data)
	return f
}

// answersIn returns how many reads of random lengths end an answer.
func answersIn(p []byte) (n int) {
	var a answerTracker
	for len(p) > 0 {
		k := min(len(p), 1+rand.IntN(12))
		if a.read(p[:k]) {
			n++
		}
		p = p[k:]
	}
	return n
}

// A client that reads late gets the second GOAWAY after it has answered the PING.
func TestSlowClientIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := start(t, h2cServer(echo), newWorker(timeout))
	c := dial(t, s.addr)
	c.send("%s%s", preface, settings)
	c.awaitFrame(4, 0)
	s.beginDrain()
	time.Sleep(goAwayTime + 2*idleCheckInterval)
	s.mustServe()
	c.awaitFrame(7, 0)
	c.awaitFrame(framePing, 0)
	begin := time.Now()
	c.send("%s", pingFrame(1, pingData))
	c.awaitFrame(7, 0)
	if d := time.Since(begin); d < answerTime || d > noAnswerTime/2 {
		t.Errorf("the second GOAWAY came %v after the answer, want %v", d, answerTime)
	}
	s.mustReturn(nil, soon)
}
