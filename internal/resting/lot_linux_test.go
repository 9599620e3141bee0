//go:build linux

package resting

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/handover"
)

const stuck = 10 * time.Second

// program is an Owner that keeps what it gets.
type program struct {
	lot    *Lot
	moved  atomic.Int64
	conns  chan net.Conn
	fewer  chan struct{} // a value for each call of fewer
	ln     net.Listener
	cookie uint64
	late   atomic.Int64 // of what it gets: the time has passed
	early  atomic.Int64 // nearly an hour is left
	full   atomic.Bool  // it takes no connections of other workers
	closed atomic.Bool  // it has closed ln
}

func (p *program) Closed() bool { return p.closed.Load() }

func (p *program) Give(c net.Conn, left time.Duration) {
	switch {
	case left > 59*time.Minute:
		p.early.Add(1)
	case left > 0 && left <= time.Millisecond:
		p.late.Add(1)
	}
	p.conns <- c
}

// newProgram returns a program, whose clients connect to ln.
func newProgram(t *testing.T, ln net.Listener) *program {
	t.Helper()
	p := &program{conns: make(chan net.Conn, 1000), fewer: make(chan struct{}, 1000), ln: ln, cookie: 7}
	p.lot = New(func() { p.fewer <- struct{}{} }, &p.moved)
	if !p.lot.Ready() {
		t.Fatal("not ready")
	}
	t.Cleanup(p.lot.Close)
	return p
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// connect returns a connection as a worker has it, and its client.
func (p *program) connect(t *testing.T) (fd *descriptor.FD, client net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", p.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := p.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if fd, err = descriptor.DupOf(server); err != nil {
		t.Fatal(err)
	}
	return fd, client
}

// rest has a new connection rest, and returns its client.
func (p *program) rest(t *testing.T, left time.Duration) net.Conn {
	t.Helper()
	fd, client := p.connect(t)
	p.lot.Rest(NewConn(fd, p, p.cookie, left))
	return client
}

// next returns the next connection that the program gets.
func (p *program) next(t *testing.T) net.Conn {
	t.Helper()
	select {
	case c := <-p.conns:
		t.Cleanup(func() { c.Close() })
		return c
	case <-time.After(stuck):
		t.Fatal("the program gets no connection")
		return nil
	}
}

// wantLen waits until n connections are in the Lot.
func (p *program) wantLen(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(stuck); p.lot.Len() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections, want %d", p.lot.Len(), n)
		}
	}
}

// answers checks that the program's conn and the client are the ends of one connection.
func answers(t *testing.T, c, client net.Conn) {
	t.Helper()
	b := make([]byte, 4)
	for _, way := range []struct{ from, to net.Conn }{{client, c}, {c, client}} {
		if _, err := io.WriteString(way.from, "text"); err != nil {
			t.Fatal(err)
		}
		way.to.SetReadDeadline(time.Now().Add(stuck))
		if _, err := io.ReadFull(way.to, b); err != nil || string(b) != "text" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

// ends checks that the client's connection was closed, and not reset.
func ends(t *testing.T, client net.Conn) {
	t.Helper()
	client.SetReadDeadline(time.Now().Add(stuck))
	if n, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d, %v, want EOF", n, err)
	}
}

// The program gets a connection when its client sends, with what it has sent, and no other one.
func TestWake(t *testing.T) {
	p := newProgram(t, listen(t))
	first, second := p.rest(t, 0), p.rest(t, time.Hour)
	time.Sleep(10 * time.Millisecond)
	if len(p.conns) > 0 || p.lot.Len() != 2 {
		t.Fatalf("the program has %d connections, %d rest", len(p.conns), p.lot.Len())
	}
	io.WriteString(second, "GET /")
	c := p.next(t)
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "GET /" {
		t.Errorf("read %q, %v", b, err)
	}
	if _, ok := c.(*net.TCPConn); !ok || c.RemoteAddr().String() != second.LocalAddr().String() {
		t.Errorf("a %T from %v", c, c.RemoteAddr())
	}
	answers(t, c, second)
	p.wantLen(t, 1)
	c.Close()
	ends(t, second) // no other copy is left
	io.WriteString(first, "x")
	p.next(t)
}

// A connection that the kernel can't watch goes to the program with the time that is left, and one that the program has stays there.
func TestCantRest(t *testing.T) {
	p := newProgram(t, listen(t))
	fd, _ := p.connect(t)
	if err := p.lot.poller.add(fd.Int()); err != nil { // a second time fails
		t.Fatal(err)
	}
	defer p.lot.poller.remove(fd.Int())
	c := NewConn(fd, p, p.cookie, time.Hour)
	if p.lot.Again(c) || p.lot.Len() > 0 {
		t.Errorf("it rests: %d", p.lot.Len())
	}
	p.lot.Rest(c)
	if p.next(t); p.early.Load() != 1 {
		t.Error("the time isn't passed on")
	}
	p.wantLen(t, 0)
	fd, client := p.connect(t)
	if p.lot.Leave(nil); p.lot.Again(NewConn(fd, p, p.cookie, 0)) {
		t.Error("it rests in a worker that leaves")
	}
	fd.Close()
	ends(t, client)
}

// A client that has sent before its connection rests isn't forgotten.
func TestSentBefore(t *testing.T) {
	p := newProgram(t, listen(t))
	fd, client := p.connect(t)
	io.WriteString(client, "x")
	p.lot.Rest(NewConn(fd, p, p.cookie, 0))
	p.next(t)
}

// A client that goes costs the program nothing. One that has sent and then ended is served.
func TestClientGoes(t *testing.T) {
	p := newProgram(t, listen(t))
	p.rest(t, 0).Close()
	p.wantLen(t, 0)
	<-p.fewer
	half := p.rest(t, 0)
	io.WriteString(half, "x")
	half.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(p.next(t)); string(b) != "x" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if len(p.conns) > 0 {
		t.Error("the program gets a connection whose client has gone")
	}
}

// The program gets a connection when the time has passed for which it would have waited, and no other
// one.
func TestTimePasses(t *testing.T) {
	p := newProgram(t, listen(t))
	later, short, never := p.rest(t, time.Hour), p.rest(t, time.Millisecond), p.rest(t, 0)
	for _, client := range []net.Conn{short, p.rest(t, 1500*time.Millisecond)} { // of two ticks
		p.wantLate(t, client)
	}
	p.wantLen(t, 2)
	p.lot.expire(time.Now().Add(2 * time.Hour))
	p.wantLate(t, later)
	p.wantLen(t, 1)
	io.WriteString(never, "x")
	answersTo(t, p.next(t), never)
	if p.late.Load() != 2 || p.early.Load() != 1 {
		t.Errorf("%d are late, %d early", p.late.Load(), p.early.Load())
	}
}

// wantLate checks that the program gets the connection of a client, and that it is late.
func (p *program) wantLate(t *testing.T, client net.Conn) {
	t.Helper()
	if c := p.next(t); c.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("the program gets the connection of %v, want %v", c.RemoteAddr(), client.LocalAddr())
	}
}

func answersTo(t *testing.T, c, client net.Conn) {
	t.Helper()
	io.ReadFull(c, make([]byte, 1))
	answers(t, c, client)
}

// The connections of an owner end with it.
func TestDrop(t *testing.T) {
	p := newProgram(t, listen(t))
	other := &program{conns: make(chan net.Conn, 1)}
	mine := p.rest(t, 0)
	fd, client := p.connect(t)
	p.lot.Rest(NewConn(fd, other, p.cookie, 0))
	p.lot.Drop(p)
	ends(t, mine)
	io.WriteString(client, "x")
	answersTo(t, other.next(t), client)
}

// So do those that were about to move then, and stay.
func TestDropDuringAMove(t *testing.T) {
	ln := listen(t)
	p, to := newProgram(t, ln), newProgram(t, ln)
	client := p.rest(t, 0)
	m := p.pair(t, closing{sockets{to}, p})
	if n := p.lot.Move(m, 1); n != 0 {
		t.Fatalf("%d moved", n)
	}
	ends(t, client)
}

// closing is sockets of a worker that takes nothing, and is asked when the program of another closes its socket.
type closing struct {
	sockets
	other *program
}

func (c closing) Socket(uint64) handover.Socket {
	c.other.closed.Store(true)
	c.other.lot.Drop(c.other)
	return nil
}

// When the resting ends, the program gets all, and what comes later.
func TestLeave(t *testing.T) {
	p := newProgram(t, listen(t))
	client := p.rest(t, 0)
	p.lot.Leave(nil)
	answers(t, p.next(t), client)
	late := p.rest(t, 0)
	answers(t, p.next(t), late)
	p.wantLen(t, 0)
	if p.lot.Ready() {
		t.Error("ready after Leave")
	}
}

// Close closes what rests.
func TestClose(t *testing.T) {
	p := newProgram(t, listen(t))
	client := p.rest(t, 0)
	p.lot.Close()
	p.lot.Close()
	ends(t, client)
	ends(t, p.rest(t, 0))
}

// A program without a free descriptor gets a connection that rests: it takes the place of its own.
func TestWithoutDescriptors(t *testing.T) {
	p := newProgram(t, listen(t))
	client := p.rest(t, 0)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 200, Max: limit.Max}); err != nil {
		t.Skip(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			break
		}
		defer unix.Close(fd)
	}
	io.WriteString(client, "x")
	answersTo(t, p.next(t), client)
}

// scarce is an adopter in a process without a free descriptor.
type scarce struct {
	adopter
	free atomic.Bool // there is one
}

func (s *scarce) Take(fd *descriptor.FD) (net.Conn, error) {
	if c, err := s.adopter.Take(fd); err == nil {
		c.Close()
	}
	return s.Again()
}

func (s *scarce) Again() (net.Conn, error) {
	if !s.free.Load() {
		return nil, unix.EMFILE
	}
	return s.adopter.Again()
}

// without returns a program without a free descriptor.
func without(t *testing.T) (*program, *scarce) {
	p := newProgram(t, listen(t))
	s := &scarce{adopter: p.lot.adopter}
	p.lot.adopter = s
	return p, s
}

// Leave doesn't wait for a free descriptor. Clients that go meanwhile don't wait for one, and Close ends what does.
func TestLeaveWithoutDescriptors(t *testing.T) {
	p, _ := without(t)
	clients := []net.Conn{p.rest(t, 0), p.rest(t, 0), p.rest(t, 0)}
	left := make(chan bool)
	go func() { p.lot.Leave(nil); close(left) }()
	select {
	case <-left:
	case <-time.After(stuck):
		t.Error("Leave waits")
	}
	for _, c := range clients {
		c.Close()
	}
	p.wantLen(t, 1) // the one that the program is about to get
	p.lot.Close()
	p.wantLen(t, 0)
	if len(p.conns) > 0 {
		t.Error("the program gets a connection after Close")
	}
}

// While a connection waits for a free descriptor, those whose clients go are closed. It gets the first that is free.
func TestGoneWithoutDescriptors(t *testing.T) {
	p, s := without(t)
	client, gone := p.rest(t, 0), p.rest(t, 0)
	io.WriteString(client, "x")
	for end := time.Now().Add(stuck); p.resting() != 1 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	gone.Close()
	p.wantLen(t, 1)
	s.free.Store(true)
	answersTo(t, p.next(t), client)
}

// resting returns how many connections aren't on their way to the program.
func (p *program) resting() int {
	p.lot.mu.Lock()
	defer p.lot.mu.Unlock()
	return len(p.lot.conns)
}

// pair returns what moves connections to another program, whose Lot has them afterwards.
func (p *program) pair(t *testing.T, to handover.Sockets) *handover.Mover {
	t.Helper()
	a, b, err := handover.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	r, err := handover.NewReceiver(b, to)
	if err != nil {
		t.Fatal(err)
	}
	go r.Serve()
	m := handover.MoverOf(a)
	t.Cleanup(func() { m.Close(); r.Close() })
	return m
}

// sockets is a program as handover.Sockets, and its one socket.
type sockets struct{ *program }

func (s sockets) Starts() {}
func (s sockets) Ends()   {}
func (s sockets) Socket(cookie uint64) handover.Socket {
	if cookie == s.cookie && !s.full.Load() {
		return s
	}
	return nil
}
func (s sockets) Handed(uint64, []byte) handover.Socket { return nil }
func (s sockets) Addr() net.Addr                        { return s.ln.Addr() }
func (s sockets) Put(c net.Conn)                        { s.Give(c, 0) }
func (s sockets) Rests() bool                           { return s.lot.Ready() }
func (s sockets) Rest(fd *descriptor.FD, left time.Duration) {
	s.lot.Rest(NewConn(fd, s.program, s.cookie, left))
}

func (s sockets) Expect(c net.Conn, left time.Duration) { s.Give(c, left) }

// Connections move on as they rest, with the time that is left to them: as many as wanted.
func TestMove(t *testing.T) {
	ln := listen(t)
	p, to := newProgram(t, ln), newProgram(t, ln)
	m := p.pair(t, sockets{to})
	for range 100 {
		p.rest(t, time.Hour)
	}
	if n := p.lot.Move(m, 70); n != 70 || p.moved.Load() != 70 {
		t.Fatalf("%d moved, %d counted", n, p.moved.Load())
	}
	p.wantLen(t, 30)
	to.wantLen(t, 70)
	to.full.Store(true)
	if n := p.lot.Move(m, 70); n != 0 {
		t.Fatalf("%d moved", n)
	}
	p.wantLen(t, 30)
	to.full.Store(false)
	p.lot.Leave(m)
	p.wantLen(t, 0)
	to.wantLen(t, 100)
	to.lot.expire(time.Now().Add(30 * time.Minute))
	to.wantLen(t, 100)
	to.lot.expire(time.Now().Add(61 * time.Minute))
	to.wantLen(t, 0)
	if n := to.early.Load(); n != 100 {
		t.Errorf("%d have the time that was left", n)
	}
}

// What the other worker doesn't take when this one leaves, the program gets.
func TestRefused(t *testing.T) {
	ln := listen(t)
	p, to := newProgram(t, ln), newProgram(t, ln)
	to.full.Store(true)
	client := p.rest(t, 0)
	p.lot.Leave(p.pair(t, sockets{to}))
	answers(t, p.next(t), client)
}

// Clients that send at any moment of a move are each served by one program, with all they have sent.
func TestMoveUnderLoad(t *testing.T) {
	ln := listen(t)
	p, to := newProgram(t, ln), newProgram(t, ln)
	m := p.pair(t, sockets{to})
	var all sync.WaitGroup
	for _, program := range []*program{p, to} {
		go func() {
			for c := range program.conns {
				go io.Copy(c, c) // ends with the client
			}
		}()
	}
	start := make(chan struct{})
	for i := range 200 {
		client := p.rest(t, 0)
		all.Go(func() {
			<-start
			time.Sleep(time.Duration(i) * 20 * time.Microsecond)
			text := fmt.Sprintf("client %04d", i)
			io.WriteString(client, text)
			b := make([]byte, len(text))
			client.SetReadDeadline(time.Now().Add(stuck))
			if _, err := io.ReadFull(client, b); err != nil || string(b) != text {
				t.Errorf("%s has got %q, %v", text, b, err)
			}
		})
	}
	close(start)
	time.Sleep(time.Millisecond)
	p.lot.Leave(m)
	all.Wait()
	p.wantLen(t, 0)
}
