//go:build linux

package workerproc

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/resting"
	"github.com/rota-go/rota/internal/wire"
)

// restingAt returns the client of a connection that has moved from one worker to another, where it
// rests.
func restingAt(t *testing.T, from, to neighbour) (client net.Conn) {
	t.Helper()
	return restingFor(t, from, to, time.Hour)
}

// restingFor is restingAt with a program that waits for a request for a time.
func restingFor(t *testing.T, from, to neighbour, wait time.Duration) (client net.Conn) {
	t.Helper()
	server, client := from.conn(t)
	go serve(server, wait)
	answered(t, client, nil)
	from.leave(t, to)
	await(t, "the connection", func() bool {
		if to.queue().Waiting() { // the program didn't wait for a request yet when the drain began
			to.accept(t).Read(make([]byte, 100))
		}
		return to.drain.resting.Len() == 1
	})
	return client
}

// serve is a program that waits for each request for a time.
func serve(c net.Conn, wait time.Duration) {
	defer c.Close()
	b := make([]byte, 100)
	for {
		c.SetReadDeadline(time.Now().Add(wait))
		if _, err := c.Read(b); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	}
}

// queue is the connections that have moved to the worker and that its program is to accept.
func (n neighbour) queue() *handover.Queue { return baseOf(n.ln.(source)).moved }

func (n neighbour) accept(t *testing.T) net.Conn {
	t.Helper()
	c, err := n.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// answered makes a request on the client's connection, which the program of ln answers if ln isn't nil.
func answered(t *testing.T, client net.Conn, ln net.Listener) {
	t.Helper()
	io.WriteString(client, "GET / HTTP/1.1\r\n\r\n")
	if ln != nil {
		server := neighbour{ln: ln}.accept(t)
		server.Read(make([]byte, 100))
		io.WriteString(server, "HTTP/1.1 204 No Content\r\n\r\n")
	}
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if !read(client, make([]byte, len("HTTP/1.1 204 No Content\r\n\r\n"))) {
		t.Fatal("no answer")
	}
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waiting for %s", what)
		}
	}
}

// lastCounts returns the last counters that the worker has told.
func (n neighbour) lastCounts() (body wire.CountedBody) {
	l := n.link.(*fakeLink)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.sent {
		if f.Type == wire.Counted {
			f.Decode(&body)
		}
	}
	return body
}

// A connection that has moved here counts as open. Accept returns it when its client sends; then the
// next counters have it once.
func TestRests(t *testing.T) {
	all := newNeighbours(t, 2)
	client := restingAt(t, all[0], all[1])
	all[1].sendCounters(1)
	if c := all[1].lastCounts(); c.Open != 1 || c.Taken != 1 || c.Accepted != 0 {
		t.Errorf("while it rests: %+v", c)
	}
	answered(t, client, all[1].ln)
	await(t, "the end of the rest", func() bool { return all[1].drain.resting.Len() == 0 })
	all[1].sendCounters(2)
	if c := all[1].lastCounts(); c.Open != 1 || c.Taken != 1 || c.Accepted != 0 {
		t.Errorf("afterwards: %+v", c)
	}
}

// usedAt returns what a worker's program has accepted of a connection that was used when it moved, and its client. It has been read
// from once, so that it moves when its program asks for the next request.
func usedAt(t *testing.T, from, to neighbour) (server, client net.Conn) {
	t.Helper()
	old, client := from.conn(t)
	io.WriteString(client, "GET / HTTP/1.1\r\n\r\n")
	old.Read(make([]byte, 100))
	from.leave(t, to)
	io.WriteString(old, "HTTP/1.1 204 No Content\r\n\r\n")
	go old.Read(make([]byte, 100))
	server = to.accept(t)
	read(client, make([]byte, len("HTTP/1.1 204 No Content\r\n\r\n")))
	return server, client
}

// The program doesn't get a connection whose old program waited for a request when the drain began; it moves when its client
// has been silent for a moment. Of eight, at least one is such.
func TestIdleRests(t *testing.T) {
	all := newNeighbours(t, 2)
	const n = 8
	for range n {
		server, client := all[0].conn(t)
		go serve(server, time.Hour)
		answered(t, client, nil)
	}
	began := time.Now()
	all[0].leave(t, all[1])
	await(t, "the connections", func() bool { return all[1].Taken.Load() == n })
	if all[1].drain.resting.Len() == 0 {
		t.Error("the program is to accept all")
	}
	if d := time.Since(began); d < usedAgain {
		t.Errorf("they have moved after %v, before their clients could send the next request", d)
	}
}

// The program gets a connection that was used when it moved at once. When its client is silent it rests, and counts as one
// all the time.
func TestUsedRests(t *testing.T) {
	all := newNeighbours(t, 2)
	server, client := usedAt(t, all[0], all[1])
	if n, err := server.Read(make([]byte, 100)); n > 0 || err != io.EOF {
		t.Errorf("the program reads %d, %v", n, err)
	}
	if n := all[1].drain.resting.Len(); n != 1 {
		t.Errorf("%d rest", n)
	}
	all[1].sendCounters(1)
	if c := all[1].lastCounts(); c.Open != 1 || c.Taken != 1 || c.Accepted != 0 {
		t.Errorf("%+v", c)
	}
	answered(t, client, all[1].ln)
}

// It stays with the program whose listener is closed, as it would never be accepted again.
func TestUsedOfAClosedListener(t *testing.T) {
	all := newNeighbours(t, 2)
	server, client := usedAt(t, all[0], all[1])
	all[1].ln.Close()
	got := make(chan error, 1)
	go func() { _, err := server.Read(make([]byte, 100)); got <- err }()
	time.Sleep(150 * time.Millisecond) // longer than the program waits otherwise
	io.WriteString(client, "G")
	if err := <-got; err != nil {
		t.Errorf("the program reads %v", err)
	}
}

// A connection that rests moves on, and counts as moved, when its worker leaves too.
func TestRestMovesOn(t *testing.T) {
	all := newNeighbours(t, 3)
	client := restingAt(t, all[0], all[1])
	all[1].leave(t, all[2])
	await(t, "the move", func() bool { return all[2].drain.resting.Len() == 1 })
	await(t, "the count", func() bool { return all[1].Moved.Load() == 1 })
	answered(t, client, all[2].ln)
}

// In a worker that leaves and has no receiver, the program gets what rested, and ends it.
func TestRestEndsInADrain(t *testing.T) {
	all := newNeighbours(t, 2)
	client := restingAt(t, all[0], all[1])
	if all[1].Settled() {
		t.Error("settled while a connection rests that the program may still get")
	}
	all[1].startDrain()
	answered(t, client, all[1].ln)
}

// So it does without a request.
func TestRestOfASilentClientEndsInADrain(t *testing.T) {
	all := newNeighbours(t, 2)
	client := restingAt(t, all[0], all[1])
	all[1].startDrain()
	server, err := all[1].ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if server.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("a connection of %v, want %v", server.RemoteAddr(), client.LocalAddr())
	}
}

// giver is a resting.Owner whose program gets no connection until it is closed.
type giver chan struct{}

func (g giver) Give(c net.Conn, _ time.Duration) {
	<-g
	c.Close()
}

func (giver) Closed() bool { return false }

// A drain goes on while a connection that rested isn't given to the program, for lack of descriptors for example. It may bring a
// request, so the hooks wait.
func TestDrainGoesOnWhileARestEnds(t *testing.T) {
	server, _ := newNeighbours(t, 1)[0].conn(t)
	fd, err := descriptor.DupOf(server)
	if err != nil {
		t.Fatal(err)
	}
	d := newDrain(new(atomic.Int64))
	if !d.resting.Ready() {
		t.Fatal("not ready")
	}
	defer d.resting.Close()
	g, expects := make(giver), make(chan bool, 1)
	defer close(g)
	d.resting.Rest(resting.NewConn(fd, g, 1, 0))
	go func() { expects <- d.tick(1, 2) }()
	select {
	case is := <-expects:
		if !is || d.empty() {
			t.Error("no request is expected of a connection that the program hasn't got yet")
		}
	case <-time.After(10 * time.Second):
		t.Error("the drain waits")
	}
}

// When the time of the old program has passed, the Read of the new one fails, once.
func TestRestIsLate(t *testing.T) {
	all := newNeighbours(t, 2)
	client := restingFor(t, all[0], all[1], 2*time.Second)
	server, err := all[1].ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.SetReadDeadline(time.Now().Add(10 * time.Second))
	began := time.Now()
	if _, err := server.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("read %v after %v, want a deadline that has passed", err, time.Since(began))
	}
	io.WriteString(client, "GET")
	if !read(server, make([]byte, 3)) {
		t.Error("the connection is of no use")
	}
}

// A client that sends an empty line, as old ones do behind the body of a POST, isn't waited for without a limit: the connection rests
// again.
func TestEmptyLineAtRest(t *testing.T) {
	all := newNeighbours(t, 2)
	client := restingFor(t, all[0], all[1], 2*time.Second)
	io.WriteString(client, "\r\n")
	server := all[1].accept(t)
	server.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := server.Read(make([]byte, 100)); n > 0 || err != io.EOF {
		t.Fatalf("read %d, %v, want EOF", n, err)
	}
	await(t, "the rest", func() bool { return all[1].drain.resting.Len() == 1 })
	if _, err := all[1].accept(t).Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %v, want the deadline of the old program", err)
	}
}

// A worker that has too many connections gives those that rest.
func TestRestIsSpared(t *testing.T) {
	all := newNeighbours(t, 3)
	client := restingAt(t, all[0], all[1])
	a, b, err := handover.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	if err := all[2].receiveConns(link.Packet{Frame: wire.Frame{Type: wire.Receive}, Files: []*descriptor.FD{b}}); err != nil {
		t.Fatal(err)
	}
	spare := wire.Frame{Type: wire.Spare, Body: wire.Body(wire.SpareBody{Connections: 1})}
	if err := all[1].spare(link.Packet{Frame: spare, Files: []*descriptor.FD{a}}); err != nil {
		t.Fatal(err)
	}
	await(t, "the move", func() bool { return all[2].drain.resting.Len() == 1 && all[1].drain.resting.Len() == 0 })
	answered(t, client, all[2].ln)
}

// A listener that the program closes takes what rested with it.
func TestRestEndsWithItsListener(t *testing.T) {
	all := newNeighbours(t, 2)
	client := restingAt(t, all[0], all[1])
	all[1].ln.Close()
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %v, want EOF", err)
	}
}

// So it does with one that was on its way.
func TestRestOfAClosedListener(t *testing.T) {
	all := newNeighbours(t, 2)
	server, client := all[0].conn(t)
	fd, err := descriptor.DupOf(server)
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	l := baseOf(all[1].ln.(source))
	if !l.Rests() {
		t.Fatal("connections can't rest")
	}
	l.Close()
	l.Rest(fd, 0)
	client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %v, want EOF", err)
	}
}
