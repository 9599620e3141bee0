//go:build linux

package conn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/handover"
)

// process is a worker of a chain: a listener that has its own connections, and can take
// those of another.
type process struct {
	*connListener
	cookie uint64
	moved  chan net.Conn
	closed chan struct{}
}

// newProcess returns a worker that listens at ln. All with the same ln have one socket.
func newProcess(t *testing.T, ln net.Listener) *process {
	t.Helper()
	p := &process{connListener: newConnListener(ln), moved: make(chan net.Conn, 1000), closed: make(chan struct{})}
	var err error
	if p.cookie, err = handover.Cookie(ln.(syscall.Conn)); err != nil {
		t.Skip(err)
	}
	p.shared.Cookie, p.shared.Mover = p.cookie, new(atomic.Pointer[handover.Mover])
	return p
}

// Put takes a connection of another worker.
func (p *process) Put(c net.Conn) {
	p.live.Add(1)
	outer, tracked := NewMoved(c, p.shared)
	p.mu.Lock()
	p.conns = append(p.conns, tracked)
	p.mu.Unlock()
	p.moved <- outer
}

// movedOnly is a listener that accepts what other workers have moved.
type movedOnly struct{ *process }

func (h movedOnly) Accept() (net.Conn, error) {
	select {
	case c := <-h.moved:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h movedOnly) Close() error { return nil }

// leave makes receiver the receiver of p, and begins p's drain. The receiver takes all connections if
// takes is true, and otherwise none.
func (p *process) leave(t *testing.T, receiver *process, takes bool) {
	t.Helper()
	if takes {
		p.pair(t, receiver)
	} else {
		p.pair(t, nobody{})
	}
	p.shared.Draining.Store(true)
	p.interrupt()
}

// The process is not gone while it takes connections, as a drain is not empty then.
func (p *process) Starts() { p.live.Add(1) }
func (p *process) Ends()   { p.live.Add(-1) }

func (p *process) Socket(cookie uint64) handover.Socket {
	if cookie == p.cookie {
		return p
	}
	return nil
}

func (p *process) Handed(cookie uint64, state []byte) handover.Socket {
	if cookie == p.cookie {
		return handedTo{p, string(state)}
	}
	return nil
}

// handedTo is a process that gets a connection with a state.
type handedTo struct {
	*process
	state string
}

func (h handedTo) Put(c net.Conn) {
	h.live.Add(1)
	outer, _ := NewHanded(c, h.shared)
	h.moved <- stated{outer, h.state}
}

// stated is a connection with the state that came with it.
type stated struct {
	net.Conn
	state string
}

// nobody takes no connection.
type nobody struct{}

func (nobody) Starts()                       {}
func (nobody) Ends()                         {}
func (nobody) Socket(uint64) handover.Socket { return nil }

func (nobody) Handed(uint64, []byte) handover.Socket { return nil }

// pair makes a pair for p and a receiver. A nil one doesn't answer.
func (p *process) pair(t *testing.T, sockets handover.Sockets) {
	t.Helper()
	a, b, err := handover.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := handover.NewSender(a)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := handover.NewReceiver(b, sockets)
	if err != nil {
		t.Fatal(err)
	}
	mover := handover.NewMover(sender)
	t.Cleanup(func() { mover.Close(); receiver.Close() })
	if sockets != nil {
		go receiver.Serve()
	}
	p.shared.Mover.Store(mover)
}

func (p *process) interrupt() {
	for _, c := range p.all() {
		c.Interrupt()
	}
}

// awaitGone waits until p has no connection.
func (p *process) awaitGone(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.live.Load() > 0; time.Sleep(time.Millisecond) {
		p.interrupt()
		if time.Now().After(deadline) {
			t.Fatalf("%d connections have not moved: %+v", p.live.Load(), p.all()[0].http.State())
		}
	}
}

// mixed answers in many forms. Its answers don't depend on the time.
func mixed(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/chunked":
		fmt.Fprintf(w, "first")
		w.(http.Flusher).Flush()
		fmt.Fprintf(w, "second %s", body)
	case "/304":
		w.WriteHeader(304)
	case "/204":
		w.WriteHeader(204)
	case "/hints":
		w.WriteHeader(103)
		fmt.Fprintf(w, "after hints")
	default:
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	}
}

var mixedRequests = []string{
	"GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
	"HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
	"POST /d HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
	"POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"POST /e HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n2;x=\"y\"\r\nhi\r\n0\r\nT: v\r\n\r\n",
	"POST /f HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\r\n", // the empty line of old clients
	"GET /g HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"HEAD /h HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET /chunked HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /304 HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /204 HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /hints HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /p1 HTTP/1.1\r\nHost: h\r\n\r\nGET /p2 HTTP/1.1\r\nHost: h\r\n\r\nHEAD /p3 HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /long?" + strings.Repeat("x", 6000) + " HTTP/1.1\r\nHost: h\r\n\r\n",
}

// wantAnswers returns what net/http answers to requests, by a server without rota.
func wantAnswers(t *testing.T, requests []string) (all []string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go http.Serve(ln, http.HandlerFunc(mixed))
	for _, r := range requests {
		c := dialConn(t, ln.Addr())
		c.send(r)
		c.Conn.(*net.TCPConn).CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

// A client gets the same bytes as without moves, on one connection, while it is moved from
// one process to the next again and again, and whatever pieces it sends its requests in.
func TestMovesUnseen(t *testing.T) {
	t.Run("net/http", func(t *testing.T) {
		testMovesUnseen(t, mixedRequests, wantAnswers(t, mixedRequests), func(ln net.Listener) {
			_ = http.Serve(ln, http.HandlerFunc(mixed))
		})
	})
	t.Run("apart", func(t *testing.T) {
		get := []string{getRequest, getRequest + getRequest}
		want := strings.Join(apartAnswer, "")
		testMovesUnseen(t, get, []string{want, want + want}, serveApart)
	})
}

// apartAnswer is the answer of serveApart, in the parts that it is written in.
var apartAnswer = []string{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n", "\r\n", "half", "half"}

// serveApart is a server that reads in one goroutine and answers in another.
func serveApart(ln net.Listener) {
	for c, err := ln.Accept(); err == nil; c, err = ln.Accept() {
		requests := make(chan *http.Request, 10)
		go func() {
			defer close(requests)
			br := bufio.NewReader(c)
			for r, err := http.ReadRequest(br); err == nil; r, err = http.ReadRequest(br) {
				requests <- r
			}
		}()
		go func() {
			defer c.Close()
			for range requests {
				for _, part := range apartAnswer {
					io.WriteString(c, part)
					time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
				}
			}
		}()
	}
}

func testMovesUnseen(t *testing.T, requests, want []string, serve func(net.Listener)) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	first := newProcess(t, ln)
	go serve(first)
	var clients sync.WaitGroup
	done := make(chan struct{})
	var answers atomic.Int64
	const clientCount = 8
	for range clientCount {
		c := dialConn(t, ln.Addr())
		clients.Go(func() {
			for i := 0; ; i = rand.IntN(len(want)) {
				select {
				case <-done:
					return
				default:
				}
				for rest := requests[i]; len(rest) > 0; {
					n := 1 + rand.IntN(len(rest))
					c.send(rest[:n])
					rest = rest[n:]
				}
				got := make([]byte, len(want[i]))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != want[i] {
					t.Errorf("%.30q: got %q, %v, want %q", requests[i], got, err, want[i])
					return
				}
				answers.Add(1)
			}
		})
	}
	eventually(t, "all connections", func() bool { return first.live.Load() == clientCount })
	from := first
	const moves = 50
	for n := range moves {
		eventually(t, "answers", func() bool { return answers.Load() > int64(clientCount*n) })
		to := newProcess(t, ln)
		go serve(movedOnly{to})
		from.leave(t, to, true)
		from.awaitGone(t)
		close(from.closed)
		from = to
	}
	close(done)
	clients.Wait()
	t.Logf("%d answers, %d moves", answers.Load(), moves)
}

// moving returns the two ends of a connection in p on which one request was answered, and
// whose program reads the next. The channels have what that Read returns.
func (p *process) moving(t *testing.T) (server, client net.Conn, read <-chan string, failed <-chan error) {
	t.Helper()
	server, client = p.connListener.pair(t)
	oneRequest(t, server, client)
	text, errs := make(chan string, 1), make(chan error, 1)
	go func() {
		b := make([]byte, 4096)
		n, err := server.Read(b)
		text <- string(b[:n])
		errs <- err
	}()
	eventually(t, "a Read", func() bool { return !tracked(server).http.State().Busy })
	return server, client, text, errs
}

func oneRequest(t *testing.T, server, client net.Conn) {
	t.Helper()
	io.WriteString(client, getRequest)
	if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(server, plainAnswer)
	if _, err := io.ReadFull(client, make([]byte, len(plainAnswer))); err != nil {
		t.Fatal(err)
	}
}

func two(t *testing.T) (a, b *process) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return newProcess(t, ln), newProcess(t, ln)
}

// A connection that has moved is not the old program's any more.
func TestMovedIsClosed(t *testing.T) {
	from, to := two(t)
	server, client, _, failed := from.moving(t)
	server.SetDeadline(time.Now().Add(time.Hour))
	from.leave(t, to, true)
	if err := <-failed; err != io.EOF {
		t.Errorf("Read: %v, want io.EOF", err)
	}
	tcp := server.(*tcpConn)
	_, read := server.Read(make([]byte, 9))
	_, write := server.Write([]byte("late"))
	_, copied := tcp.ReadFrom(strings.NewReader("late"))
	for name, err := range map[string]error{
		"Read": read, "Write": write, "ReadFrom": copied, "SetDeadline": server.SetDeadline(time.Time{}),
		"SetReadDeadline": server.SetReadDeadline(time.Time{}), "CloseWrite": tcp.CloseWrite(), "CloseRead": tcp.CloseRead(), "Close": server.Close(),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: %v, want net.ErrClosed", name, err)
		}
	}
	if raw, err := tcp.SyscallConn(); err == nil && raw.Control(func(uintptr) {}) == nil {
		t.Error("SyscallConn still has a descriptor")
	}
	if n := from.live.Load(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
	moved := <-to.moved
	io.WriteString(client, "next")
	b := make([]byte, 9)
	if n, err := moved.Read(b); string(b[:n]) != "next" || err != nil {
		t.Errorf("the receiver reads %q, %v", b[:n], err)
	}
	moved.Close()
	if _, err := client.Read(b); err != io.EOF {
		t.Errorf("the client reads %v, want io.EOF: somebody still has the connection", err)
	}
}

// An empty line behind the body of a POST, as old clients send it, doesn't fail the request that follows in another process: net/http
// allows it only if it has answered the POST itself.
func TestMovesBeforeEmptyLine(t *testing.T) {
	for _, pieces := range [][]string{{"\r\n" + getRequest}, {"\r\n", getRequest}, {"\r", "\n", getRequest}} {
		from, to := two(t)
		answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		go http.Serve(from, answer)
		c := dialConn(t, from.Addr())
		c.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")
		c.answer("POST")
		from.leave(t, to, true)
		from.awaitGone(t)
		go http.Serve(movedOnly{to}, answer)
		for _, p := range pieces {
			c.send(p)
			time.Sleep(10 * time.Millisecond)
		}
		if head, _ := c.answer("GET"); !strings.HasPrefix(head, "HTTP/1.1 200") {
			t.Errorf("%q is answered by %q", pieces, head)
		}
		close(to.closed)
	}
}

// A Read that waits while another goroutine answers is interrupted when the answer is written: the client may send the next
// request before anybody looks.
func TestReadThatWaitsMovesAfterAnswer(t *testing.T) {
	for name, write := range map[string]func(net.Conn){
		"Write":    func(c net.Conn) { io.WriteString(c, plainAnswer) },
		"ReadFrom": func(c net.Conn) { c.(io.ReaderFrom).ReadFrom(strings.NewReader(plainAnswer)) },
	} {
		from, to := two(t)
		server, client := from.connListener.pair(t)
		readRequest(t, server, client, getRequest)
		reader := startReading(t, server)
		from.leave(t, to, true)
		write(server)
		if err := reader.wait(10 * time.Second); err != io.EOF {
			t.Fatalf("%s: Read: %v, want io.EOF", name, err)
		}
		(<-to.moved).Close()
	}
}

// A connection doesn't move whose program is about to close it, as the answer or the request says: the client waits for that.
func TestLastAnswerStays(t *testing.T) {
	const closes = "Connection: close\r\n"
	for _, c := range []struct{ request, answer string }{
		{getRequest, strings.Replace(plainAnswer, "\r\n", "\r\n"+closes, 1)},
		{"GET / HTTP/1.1\r\n" + closes + "\r\n", plainAnswer},
		{"GET / HTTP/1.0\r\n\r\n", plainAnswer},
	} {
		from, to := two(t)
		server, client := from.connListener.pair(t)
		readRequest(t, server, client, c.request)
		reader := startReading(t, server)
		from.leave(t, to, true)
		io.WriteString(server, c.answer)
		from.interrupt()
		if err := reader.wait(10 * time.Millisecond); err != errBlocked {
			t.Errorf("%q, %q: moved, Read: %v", c.request, c.answer, err)
		}
		server.Close()
		if all, err := io.ReadAll(client); err != nil || !strings.HasSuffix(string(all), "hi") {
			t.Errorf("%q, %q: the client gets %q, %v", c.request, c.answer, all, err)
		}
	}
}

// A Read of a connection that the receiver doesn't take goes on as if nothing had been, with
// the deadline that the program had set. The next answer then announces the end.
func TestNotTaken(t *testing.T) {
	from, to := two(t)
	server, client, read, failed := from.moving(t)
	from.leave(t, to, false)
	c := tracked(server)
	eventually(t, "the refusal", func() bool { return c.move.stays.Load() })
	from.interrupt()
	io.WriteString(client, getRequest)
	if got, err := <-read, <-failed; got != getRequest || err != nil {
		t.Fatalf("Read: %q, %v", got, err)
	}
	io.WriteString(server, plainAnswer)
	got := make([]byte, len(lastAnswer))
	if io.ReadFull(client, got); string(got) != lastAnswer {
		t.Errorf("the answer is %q, want %q", got, lastAnswer)
	}
}

// An interrupted Read keeps to the program's deadline.
func TestInterruptedDeadline(t *testing.T) {
	for _, late := range []bool{false, true} {
		from, to := two(t)
		server, _, _, failed := from.moving(t)
		if !late {
			server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		}
		from.leave(t, to, false)
		eventually(t, "the refusal", func() bool { return tracked(server).move.stays.Load() })
		if late {
			server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		}
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("late=%v: Read: %v, want the program's deadline", late, err)
		}
	}
}

// A deadline that an interruption has left behind doesn't reach the next Read.
func TestInterruptionAfterRead(t *testing.T) {
	from, _ := two(t)
	server, client, read, _ := from.moving(t)
	c := tracked(server)
	io.WriteString(client, "GET")
	<-read
	c.move.interrupted.Store(true)
	server.(*tcpConn).TCPConn.SetReadDeadline(longAgo)
	io.WriteString(client, "?")
	for _, size := range []int{1, 100} {
		if _, err := server.Read(make([]byte, size)); err != nil {
			t.Errorf("Read of %d: %v", size, err)
		}
		io.WriteString(client, "?")
		c.move.interrupted.Store(true)
		server.(*tcpConn).TCPConn.SetReadDeadline(longAgo)
	}
}

// What is written while the receiver is asked goes out if the connection stays, and not
// otherwise.
func TestWriteDuringMove(t *testing.T) {
	from, _ := two(t)
	from.pair(t, nil)
	server, client, _, _ := from.moving(t)
	from.shared.Draining.Store(true)
	from.interrupt()
	c := tracked(server)
	eventually(t, "the offer", func() bool { return c.move.frozen.Load() })
	written := make(chan error, 1)
	go func() {
		_, err := server.Write([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n"))
		written <- err
	}()
	select {
	case err := <-written:
		t.Errorf("the Write did not wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	if err := <-written; err != nil { // the receiver doesn't answer, so the connection stays
		t.Errorf("Write: %v", err)
	}
	b := make([]byte, 12)
	if io.ReadFull(client, b); string(b) != "HTTP/1.1 408" {
		t.Errorf("the client got %q", b)
	}
}

// While the receiver is asked, a tick leaves the reading side open, which is the receiver's too.
func TestTickDuringMove(t *testing.T) {
	from, _ := two(t)
	from.pair(t, nil)
	server, client, read, failed := from.moving(t)
	from.shared.Draining.Store(true)
	from.interrupt()
	c := tracked(server)
	eventually(t, "the offer", func() bool { return c.move.frozen.Load() })
	for range 3 {
		(*Tracked)(c).Tick(1, 1)
	}
	eventually(t, "the end of the offer", func() bool { return !c.move.frozen.Load() }) // the receiver doesn't answer
	time.Sleep(10 * time.Millisecond)
	io.WriteString(client, getRequest)
	if got, err := <-read, <-failed; got != getRequest || err != nil {
		t.Errorf("the program reads %q, %v", got, err)
	}
}

// Connections that are in the middle of something, that have bytes that were not seen, or
// that don't speak HTTP/1 from the first byte on, stay.
func TestStays(t *testing.T) {
	type state struct{ server, client net.Conn }
	half := func(text string) func(t *testing.T, s state) {
		return func(t *testing.T, s state) {
			io.WriteString(s.client, text)
			s.server.Read(make([]byte, 4096))
		}
	}
	answered := func(request, answer string) func(t *testing.T, s state) {
		return func(t *testing.T, s state) {
			half(request)(t, s)
			io.WriteString(s.server, answer)
		}
	}
	after := func(f func(s state)) func(t *testing.T, s state) {
		return func(t *testing.T, s state) {
			oneRequest(t, s.server, s.client)
			f(s)
		}
	}
	for name, prepare := range map[string]func(t *testing.T, s state){
		"nothing asked":  func(*testing.T, state) {},
		"half a request": half("GET / HT"),
		"not answered":   half(getRequest),
		"half an answer": answered(getRequest, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
		"a pipeline":     answered(getRequest+getRequest, plainAnswer),
		"a tunnel":       answered("CONNECT h HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
		"upgraded":       answered(getRequest, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
		"a PROXY header": answered("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"+getRequest, plainAnswer),
		"a PROXY header, alone": func(t *testing.T, s state) {
			half("PROXY TCP4 1.2")(t, s)
			half(".3.4 5.6.7.8 9 10\r\n")(t, s)
			answered(getRequest, plainAnswer)(t, s)
		},
		"a PROXY header, binary": answered("\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x00"+getRequest, plainAnswer),
		"HTTP/2":                 answered("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x01"),
		"another protocol":       answered("HELO\r\n", "250 mail\r\n"),
		"File":                   after(func(s state) { f, _ := s.server.(*tcpConn).File(); f.Close() }),
		"SyscallConn":            after(func(s state) { s.server.(*tcpConn).SyscallConn() }),
		"CloseWrite":             after(func(s state) { s.server.(*tcpConn).CloseWrite() }),
		"WriteTo":                after(func(s state) { go s.server.(*tcpConn).WriteTo(io.Discard); time.Sleep(10 * time.Millisecond) }),
	} {
		t.Run(name, func(t *testing.T) {
			from, to := two(t)
			server, client := from.connListener.pair(t)
			prepare(t, state{server, client})
			from.leave(t, to, true)
			failed := make(chan error, 1)
			go func() {
				_, err := server.Read(make([]byte, 4096))
				failed <- err
			}()
			for range 5 {
				from.interrupt()
				time.Sleep(2 * time.Millisecond)
			}
			select {
			case err := <-failed:
				t.Errorf("Read: %v", err)
			case c := <-to.moved:
				c.Close()
				t.Error("it has moved")
			default:
			}
			if from.live.Load() != 1 {
				t.Error("it is closed")
			}
		})
	}
}

// An interruption that has begun before the connection stays, and goes on afterwards, leaves it the program's deadline.
func TestStayDuringInterrupt(t *testing.T) {
	from, _ := two(t)
	server, _, _, failed := from.moving(t)
	c := (*conn)(tracked(server))
	c.stay()
	if c.interrupt() || c.move.interrupted.Load() || len(failed) > 0 {
		t.Error("the read deadline is not the program's")
	}
}

// Connections of a listener that keeps them stay.
func TestNoCookie(t *testing.T) {
	from, to := two(t)
	from.shared.Cookie = 0
	_, _, _, failed := from.moving(t)
	from.leave(t, to, true)
	select {
	case err := <-failed:
		t.Errorf("Read: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
}

// An answer that is under way ends where it began; then the connection moves.
func TestMovesAfterAnswer(t *testing.T) {
	from, to := two(t)
	release := make(chan struct{})
	go http.Serve(from, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		<-release
		io.WriteString(w, "done")
	}))
	c := dialConn(t, from.Addr())
	c.send(getRequest)
	eventually(t, "the request", func() bool { return from.live.Load() == 1 && from.all()[0].http.State().Phase != "asking" })
	from.leave(t, to, true)
	close(release)
	head, body := c.answer("GET")
	if announced(head) || body != "done" {
		t.Errorf("the answer is %q, %q, want one that doesn't announce the end", head, body)
	}
	from.awaitGone(t)
	(<-to.moved).Close()
}

// A connection doesn't move while the client has not got the whole answer, although the
// program reads on meanwhile.
func TestMovesAfterLongWrite(t *testing.T) {
	from, to := two(t)
	server, client := from.connListener.pair(t)
	io.WriteString(client, getRequest)
	if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
		t.Fatal(err)
	}
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + strings.Repeat("x", 8<<20)
	go io.WriteString(server, answer)
	eventually(t, "the Write waits", func() bool { return tracked(server).socket.WriteMayWait() })
	reader := startReading(t, server)
	from.leave(t, to, true)
	from.interrupt()
	if err := reader.wait(10 * time.Millisecond); err != errBlocked {
		t.Errorf("moved in the middle of an answer: %v", err)
	}
	got := make([]byte, len(answer))
	if _, err := io.ReadFull(client, got); err != nil || string(got) != answer {
		t.Errorf("the answer has changed: %v", err)
	}
	eventually(t, "the move", func() bool { from.interrupt(); return reader.wait(time.Millisecond) == io.EOF })
	(<-to.moved).Close()
}

// A connection that has moved moves on also if its program waits for the first byte of a request alone.
func TestMovesOnFromAByte(t *testing.T) {
	from, to := two(t)
	dialConn(t, from.Addr())
	inner, err := from.Listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	from.Put(inner)
	reader := reading{make(chan error, 1)}
	go func() {
		_, err := (<-from.moved).Read(make([]byte, 1))
		reader.result <- err
	}()
	from.leave(t, to, true)
	eventually(t, "the move", func() bool { from.interrupt(); return reader.wait(time.Millisecond) == io.EOF })
	(<-to.moved).Close()
}

// So does one whose program reads all its requests byte by byte, after any of them.
func TestMovesFromByteByByte(t *testing.T) {
	from, to := two(t)
	server, client := from.connListener.pair(t)
	io.WriteString(client, getRequest)
	for range len(getRequest) {
		server.Read(make([]byte, 1))
	}
	io.WriteString(server, plainAnswer)
	reader := reading{make(chan error, 1)}
	go func() {
		_, err := server.Read(make([]byte, 1))
		reader.result <- err
	}()
	eventually(t, "a Read", func() bool { return !tracked(server).http.State().Busy })
	from.leave(t, to, true)
	if err := reader.wait(10 * time.Second); err != io.EOF {
		t.Errorf("Read: %v, want io.EOF", err)
	}
	(<-to.moved).Close()
}

// Times survive being encoded, with their monotonic part.
func TestEncodeTime(t *testing.T) {
	now := time.Now()
	for _, tc := range []time.Time{{}, now, longAgo, now.Add(time.Hour), started} {
		got := decodeTime(encodeTime(tc))
		if d := got.Sub(tc); got.IsZero() != tc.IsZero() || d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("%v becomes %v", tc, got)
		}
	}
	if !decodeTime(encodeTime(time.Now().AddDate(10000, 0, 0))).After(now) || !decodeTime(encodeTime(time.Unix(-1<<40, 0))).Before(now) {
		t.Error("times that are far away change sides")
	}
}
