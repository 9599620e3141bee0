package workerproc

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/http1"
	"github.com/rota-go/rota/internal/pace"
)

// connListener returns newConn's conns and counts the open ones.
type connListener struct {
	net.Listener
	w    *watch
	live atomic.Int64

	mu    sync.Mutex
	conns []*conn
}

// listenConns listens on network, which may be tcp or unix.
func listenConns(tb testing.TB, network string) *connListener {
	tb.Helper()
	address := "127.0.0.1:0"
	if network != "tcp" {
		address = tb.TempDir() + "/s"
	}
	inner, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { inner.Close() })
	return newConnListener(inner)
}

func newConnListener(inner net.Listener) *connListener {
	ln := &connListener{Listener: inner, w: newWatch()}
	ln.w.closed = func(*conn) { ln.live.Add(-1) }
	return ln
}

// newWatch is that of a worker that does not drain yet.
func newWatch() *watch { return &watch{draining: new(atomic.Bool), pace: new(pace.Pace)} }

func (ln *connListener) Accept() (net.Conn, error) {
	inner, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return ln.take(inner), nil
}

func (ln *connListener) take(inner net.Conn) net.Conn {
	ln.live.Add(1)
	outer, c := newConn(inner, ln.w)
	ln.mu.Lock()
	ln.conns = append(ln.conns, c)
	ln.mu.Unlock()
	return outer
}

// drain begins a drain, of which only the ticks for conns that have served their
// purpose come by themselves.
func (ln *connListener) drain() {
	if ln.w.draining.Swap(true) {
		return
	}
	go func() {
		for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
			for _, c := range ln.all() {
				if c.rests() {
					c.idleTick(1 << 30)
				}
			}
		}
	}()
}

// rests reports whether the conn is at rest after an announced answer.
func (c *conn) rests() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.track.Over() && !c.busy.Load()
}

// tick is what the drain does ever so often.
func (ln *connListener) tick(limit int) {
	for _, c := range ln.all() {
		c.idleTick(limit)
	}
}

func (ln *connListener) all() []*conn {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return append([]*conn(nil), ln.conns...)
}

// pair returns both ends of a connection, the server's as the program has it.
func (ln *connListener) pair(tb testing.TB) (server, client net.Conn) {
	tb.Helper()
	client = dialConn(tb, ln.Addr()).Conn
	server, err := ln.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { server.Close() })
	return server, client
}

// clientConn is a client that sees every byte.
type clientConn struct {
	net.Conn
	tb testing.TB
	br *bufio.Reader
}

func dialConn(tb testing.TB, addr net.Addr) *clientConn {
	tb.Helper()
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		tb.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
	tb.Cleanup(func() { c.Close() })
	return &clientConn{c, tb, bufio.NewReaderSize(c, 64<<10)}
}

func (c *clientConn) send(s string) {
	c.tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.tb.Fatal(err)
	}
}

// head reads up to the end of a head.
func (c *clientConn) head() string {
	c.tb.Helper()
	head := c.peekHead()
	c.br.Discard(len(head))
	return head
}

func (c *clientConn) peekHead() string {
	c.tb.Helper()
	for n := 1; ; n = max(n+1, c.br.Buffered()) {
		p, err := c.br.Peek(n)
		if i := strings.Index(string(p), "\r\n\r\n"); i >= 0 {
			return string(p[:i+4])
		}
		if err != nil {
			c.tb.Fatalf("after %q: %v", p, err)
		}
	}
}

// answer reads an answer to a request with this method: its final head and body.
func (c *clientConn) answer(method string) (head, body string) {
	c.tb.Helper()
	for head = c.peekHead(); strings.HasPrefix(head, "HTTP/1.1 1"); head = c.peekHead() {
		c.head()
	}
	r, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		c.tb.Fatal(err)
	}
	p, err := io.ReadAll(r.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	return head, string(p)
}

// full expects n bytes.
func (c *clientConn) full(n int) string {
	c.tb.Helper()
	p := make([]byte, n)
	if k, err := io.ReadFull(c.br, p); err != nil {
		c.tb.Fatalf("after %q: %v", p[:k], err)
	}
	return string(p)
}

// end expects the end of the connection, and nothing before it.
func (c *clientConn) end() {
	c.tb.Helper()
	if p, err := io.ReadAll(c.br); err != nil || len(p) > 0 {
		c.tb.Fatalf("%q, %v instead of the connection's end", p, err)
	}
}

// mustStay expects nothing to come, and no end.
func (c *clientConn) mustStay() {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if p, err := c.br.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.tb.Fatalf("%q, %v instead of nothing", p, err)
	}
	c.SetDeadline(time.Now().Add(20 * time.Second))
}

// announced reports whether Line is right after the status line, and only there.
func announced(head string) bool {
	_, rest, _ := strings.Cut(head, "\r\n")
	return strings.HasPrefix(rest, http1.Line) && strings.Count(head, http1.Line) == 1
}

// serveConns runs a plain net/http server until the test ends.
func serveConns(tb testing.TB, network string, h http.HandlerFunc) *connListener {
	tb.Helper()
	ln := listenConns(tb, network)
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln)
	}()
	tb.Cleanup(func() {
		srv.Close()
		<-done
	})
	return ln
}

// eventually waits for a condition that must come true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("never: ", what)
		}
	}
}

const (
	getRequest  = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	lastAnswer  = "HTTP/1.1 200 OK\r\n" + http1.Line + "Content-Length: 2\r\n\r\nhi"
)

func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }
