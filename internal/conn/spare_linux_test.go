//go:build linux

package conn

import (
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/handover"
)

// mover returns what moves connections of p to a receiver.
func (p *process) mover(t *testing.T, to handover.Sockets) *handover.Mover {
	t.Helper()
	p.pair(t, to)
	return p.shared.Mover.Swap(nil)
}

// acceptAll has p accept from its socket what movedOnly returns.
func (p *process) acceptAll() {
	for c, err := p.Accept(); err == nil; c, err = p.Accept() {
		p.moved <- c
	}
}

// Clients get the same bytes while two workers, neither of which leaves, move connections to
// each other again and again.
func TestSparesUnseen(t *testing.T) {
	want := wantAnswers(t, mixedRequests)
	a, b := two(t)
	go a.acceptAll()
	for _, p := range []*process{a, b} {
		go http.Serve(movedOnly{p}, http.HandlerFunc(mixed))
	}
	var clients sync.WaitGroup
	var over atomic.Bool
	var answers atomic.Int64
	const clientCount = 8
	for range clientCount {
		c := dialConn(t, a.Addr())
		clients.Go(func() {
			for !over.Load() {
				i := rand.IntN(len(want))
				got := make([]byte, len(want[i]))
				c.send(mixedRequests[i])
				if _, err := io.ReadFull(c, got); err != nil || string(got) != want[i] {
					t.Errorf("%.30q: got %q, %v, want %q", mixedRequests[i], got, err, want[i])
					return
				}
				answers.Add(1)
			}
		})
	}
	eventually(t, "all connections", func() bool { return a.live.Load() == clientCount })
	moves := int64(0)
	for n := range 60 {
		from, to := a, b
		if n%2 == 1 {
			from, to = b, a
		}
		eventually(t, "answers", func() bool { return answers.Load() > int64(clientCount*n) })
		before := to.live.Load()
		Spare(from.all(), from.mover(t, to), 3)
		eventually(t, "one process for each connection", func() bool { return a.live.Load()+b.live.Load() == clientCount })
		if n := to.live.Load() - before; n > 3 {
			t.Errorf("%d have moved", n)
		} else {
			moves += n
		}
	}
	over.Store(true)
	clients.Wait()
	if moves < 100 {
		t.Errorf("%d of 180 have moved", moves)
	}
	t.Logf("%d answers, %d moves", answers.Load(), moves)
}

// A connection that isn't taken stays, and moves when the worker leaves.
func TestSpareRefused(t *testing.T) {
	from, to := two(t)
	_, client, _, failed := from.moving(t)
	Spare(from.all(), from.mover(t, nobody{}), 1)
	if len(to.moved) > 0 || len(failed) > 0 {
		t.Fatal("it has moved")
	}
	from.leave(t, to, true)
	if err := <-failed; err != io.EOF {
		t.Errorf("Read: %v, want io.EOF", err)
	}
	moved := <-to.moved
	io.WriteString(client, "next")
	b := make([]byte, 9)
	if n, err := moved.Read(b); string(b[:n]) != "next" || err != nil {
		t.Errorf("the receiver reads %q, %v", b[:n], err)
	}
	moved.Close()
}

// A connection whose program reads while another goroutine answers moves when the answer is written.
func TestSpareOfAReadThatWaits(t *testing.T) {
	from, to := two(t)
	server, client := from.connListener.pair(t)
	oneRequest(t, server, client)
	readRequest(t, server, client, getRequest)
	reader := startReading(t, server)
	spared, m := make(chan bool), from.mover(t, to)
	go func() { Spare(from.all(), m, 1); close(spared) }()
	eventually(t, "the choice", func() bool { return tracked(server).move.spare.Load() != nil })
	io.WriteString(server, plainAnswer)
	if err := reader.wait(10 * time.Second); err != io.EOF {
		t.Fatalf("Read: %v, want io.EOF", err)
	}
	<-spared
	(<-to.moved).Close()
}

// Only so many move as were asked for. What doesn't come to rest in time stays, also when it
// does later, and so does what can't move.
func TestSpareBounds(t *testing.T) {
	from, to := two(t)
	server, client := from.connListener.pair(t)
	oneRequest(t, server, client)
	io.WriteString(client, getRequest)
	b := make([]byte, 4096)
	if _, err := server.Read(b); err != nil {
		t.Fatal(err)
	}
	from.connListener.pair(t) // nothing was answered on it
	for range 3 {
		from.moving(t)
	}
	Spare(from.all(), from.mover(t, to), 2)
	if n := len(to.moved); n != 2 {
		t.Errorf("%d have moved, want 2", n)
	}
	Spare(from.all(), from.mover(t, to), 10)
	if n := len(to.moved); n != 3 {
		t.Errorf("%d have moved, want 3", n)
	}
	io.WriteString(server, plainAnswer)
	server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := server.Read(b); err == nil || err == io.EOF {
		t.Errorf("the connection that was busy: %v", err)
	}
}
