package conn

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestDifferential holds random dialogues on connections whose drain begins at a random
// moment, in random pieces, with programs and clients of several kinds. Each client must
// get what it would get without a drain, but for http1.Line after the status line of a
// final answer and the keep-alive that Line replaces.
//
// ROTA_DIFFERTIME is how long it takes, 1h for example. Without it, it is short.
func TestDifferential(t *testing.T) {
	t.Parallel()
	limit := 500 * time.Millisecond
	if text := os.Getenv("ROTA_DIFFERTIME"); text != "" {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	var sum tally
	var wg sync.WaitGroup
	begin := time.Now()
	for _, network := range []string{"tcp", "unix", "tcp", "unix", "unix", "unix", "unix", "unix"} {
		ln := listenConns(t, network)
		wg.Go(func() {
			for time.Since(begin) < limit && sum.bad.Load() < 10 {
				sum.run(t, ln, rand.Uint64())
			}
		})
	}
	stop := sum.report(t)
	wg.Wait()
	stop()
	t.Log(&sum)
	if sum.lines.Load() == 0 || sum.conns.Load() == sum.lines.Load() {
		t.Error("the drains don't begin in the middle of dialogues")
	}
}

// tally counts what the test has done.
type tally struct{ conns, drained, answers, lines, ended, cut, untracked, bad atomic.Int64 }

func (s *tally) String() string {
	return fmt.Sprintf("%d connections (%d of them in a drain, %d left alone), %d answers, %d lines added, %d ended by the drain, %d pipelines cut after the line, %d mismatches",
		s.conns.Load(), s.drained.Load(), s.untracked.Load(), s.answers.Load(), s.lines.Load(), s.ended.Load(), s.cut.Load(), s.bad.Load())
}

// report logs the tally every minute until the result is called.
func (s *tally) report(t *testing.T) (stop func()) {
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Minute):
				t.Log(s)
			}
		}
	}()
	return func() { close(done); <-finished }
}

// run holds one dialogue. Its number determines what is said, and by whom.
func (s *tally) run(t *testing.T, ln *connListener, number uint64) {
	talk := newTalk(number)
	err := talk.run(ln)
	s.conns.Add(1)
	s.answers.Add(int64(talk.whole))
	s.lines.Add(int64(talk.lines))
	for counter, yes := range map[*atomic.Int64]bool{
		&s.drained: talk.shared.Draining.Load(), &s.cut: talk.whole < len(talk.said),
		&s.ended: talk.over, &s.untracked: talk.tracked.http.Untracked(),
	} {
		if yes {
			counter.Add(1)
		}
	}
	if err != nil {
		s.bad.Add(1)
		t.Errorf("dialogue %d, %s, client %d, program %d: %v\nin exchange %d of %v", number, ln.Addr().Network(), talk.client, talk.program, err, talk.whole, talk.said)
	}
}

// talk is one connection: what is said on it, and how.
type talk struct {
	rng     *rand.Rand // of the client
	said    dialogue
	client  int // 0 waits for each answer, 1 pipelines, 2 waits now and then
	program int // see serve

	shared  *Shared
	tracked *Tracked
	calls   atomic.Int64 // reads and writes of both sides so far
	drainAt int64        // the call before which the drain begins

	conn  net.Conn
	got   string // of the answer that comes next
	sent  int    // requests
	whole int    // answers that the client has in full
	lines int    // of these with Line
	over  bool   // the drain has ended the connection
	lined bool   // the latest answer has Line
	must  int    // the first answer that must have Line
}

func newTalk(number uint64) *talk {
	rng := rand.New(rand.NewPCG(number, 0))
	talk := &talk{rng: rng, said: newDialogue(rng), client: rng.IntN(3), program: rng.IntN(programs), shared: newShared()}
	talk.drainAt = rng.Int64N(int64(8 * len(talk.said)))
	if rng.IntN(4) == 0 {
		talk.drainAt *= 20
	}
	talk.must = len(talk.said)
	talk.shared.Closed = func(*Tracked) {}
	return talk
}

// step counts a call, and begins the drain when it is time.
func (k *talk) step() {
	if k.calls.Add(1) == k.drainAt {
		k.shared.Draining.Store(true)
	}
}

func (k *talk) run(ln *connListener) error {
	client, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	inner, err := ln.Listener.Accept()
	if err != nil {
		return err
	}
	server, tracked := New(inner, k.shared)
	k.conn, k.tracked = client, tracked
	client.SetDeadline(time.Now().Add(20 * time.Second))
	served := make(chan struct{})
	seed := k.rng.Uint64()
	go func() {
		defer close(served)
		k.serve(server, rand.New(rand.NewPCG(seed, 1)))
	}()
	err = k.ask()
	client.Close()
	for range 10000 {
		select {
		case <-served:
			return err
		case <-time.After(time.Millisecond):
			if k.shared.Draining.Load() {
				tracked.Tick(1, 1<<30)
			}
		}
	}
	return errors.Join(err, errors.New("the program doesn't end"))
}

// ask is the client.
func (k *talk) ask() error {
	ticks := make(chan struct{})
	go k.tick(ticks)
	defer close(ticks)
	failed := make(chan error, 1)
	answers := make(chan struct{}, len(k.said))
	if k.client > 0 { // requests and answers at the same time
		go func() { k.sendAll(answers) }()
		failed <- k.receive(len(k.said), answers)
		return k.check(<-failed)
	}
	for k.sent < len(k.said) && !k.lined {
		if k.shared.Draining.Load() {
			k.must = min(k.must, k.sent)
		}
		k.send(k.rng, k.said[k.sent].request)
		k.sent++
		if err := k.receive(k.sent, answers); err != nil {
			return k.check(err)
		}
		if k.whole > k.must && k.must < k.said.oddFrom() && k.lines == 0 {
			return fmt.Errorf("answer %d came in the drain and has no line", k.must)
		}
	}
	return k.check(nil)
}

// tick is the drain's goroutine.
func (k *talk) tick(done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(2 * time.Millisecond):
			if k.shared.Draining.Load() {
				k.tracked.Tick(1, 1<<30)
			}
		}
	}
}

// sendAll sends all requests, and in mode 2 waits for all answers so far now and then.
func (k *talk) sendAll(answers <-chan struct{}) {
	rng := rand.New(rand.NewPCG(k.rng.Uint64(), 2))
	if k.client == 1 {
		k.send(rng, k.said.requests())
		return
	}
	waiting := 0
	for _, x := range k.said {
		k.send(rng, x.request)
		for waiting++; rng.IntN(2) == 0 && waiting > 0; waiting-- {
			<-answers
		}
	}
}

// send sends text in pieces. It ignores errors: the server may have closed.
func (k *talk) send(rng *rand.Rand, text string) {
	eachPiece(rng, text, func(p string) bool {
		k.step()
		_, err := io.WriteString(k.conn, p)
		return err == nil
	})
}

// eachPiece cuts text into pieces of random sizes, often where a status line begins.
func eachPiece(rng *rand.Rand, text string, use func(string) bool) {
	style := rng.IntN(5)
	for len(text) > 0 {
		n := len(text)
		switch style {
		case 0:
			n = 1 + rng.IntN(4)
		case 1:
			n = 1 + rng.IntN(len(text))
		case 2, 3:
			if at := strings.Index(text[1:], pick(rng, "HTTP/1.", "HTTP/1.", "\n", "HEAD ", "Connection:")); at >= 0 {
				n = at + 1
			}
		}
		n = min(n, len(text))
		if !use(text[:n]) {
			return
		}
		text = text[n:]
	}
}

// receive reads until so many answers have come in full.
func (k *talk) receive(answers int, each chan<- struct{}) error {
	buf := make([]byte, 4096)
	for k.whole < answers {
		n, err := k.conn.Read(buf)
		k.step()
		k.got += string(buf[:n])
		if bad := k.take(each); bad != nil {
			return bad
		}
		if err != nil && k.whole < answers {
			return err
		}
	}
	return nil
}

// take compares what has come with the next answers.
func (k *talk) take(each chan<- struct{}) error {
	for k.whole < len(k.said) {
		n, whole, lined, ok := k.said[k.whole].match(k.got)
		if !ok {
			return fmt.Errorf("%w: got %q", errBytes, k.got)
		}
		if !whole {
			return nil
		}
		k.got, k.lined = k.got[n:], lined
		if k.whole++; lined {
			k.lines++
		}
		each <- struct{}{}
	}
	return nil
}

var errBytes = errors.New("other bytes")

// check says whether err is how the dialogue may end, and that nothing else follows.
func (k *talk) check(err error) error {
	if errors.Is(err, errBytes) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if err != nil && (k.client == 0 || k.lines == 0 || k.got != "") {
		return fmt.Errorf("the connection ends (%w) after %d of %d answers with %q, with %d lines", err, k.whole, len(k.said), k.got, k.lines)
	}
	k.over = k.lined
	if !k.lined { // the client ends the connection, otherwise the server must
		k.conn.(halfCloser).CloseWrite()
	}
	rest, err := io.ReadAll(k.conn)
	if k.got+string(rest) != "" && k.whole == len(k.said) {
		return fmt.Errorf("%w: %q follows", errBytes, k.got+string(rest))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("not ended: %+v", k.tracked.http.State())
	}
	return nil
}
