package conn

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
	"github.com/rota-go/rota/internal/ratelimit"
)

// connListener's Accept returns connections made by New. It counts the open ones.
type connListener struct {
	net.Listener
	shared *Shared
	live   atomic.Int64

	mu    sync.Mutex
	conns []*Tracked
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
	ln := &connListener{Listener: inner, shared: newShared()}
	ln.shared.Closed = func(*Tracked) { ln.live.Add(-1) }
	return ln
}

// newShared returns the Shared of a worker that doesn't drain yet.
func newShared() *Shared {
	return &Shared{Draining: new(atomic.Bool), Limiter: new(ratelimit.Limiter)}
}

func (ln *connListener) Accept() (net.Conn, error) {
	inner, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return ln.take(inner), nil
}

func (ln *connListener) take(inner net.Conn) net.Conn {
	ln.live.Add(1)
	outer, c := New(inner, ln.shared)
	ln.mu.Lock()
	ln.conns = append(ln.conns, c)
	ln.mu.Unlock()
	return outer
}

// drain begins a drain. Ticks come by themselves only to connections that are finished.
func (ln *connListener) drain() {
	if ln.shared.Draining.Swap(true) {
		return
	}
	go func() {
		for begin := time.Now(); time.Since(begin) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
			for _, c := range ln.all() {
				if c.finished() {
					c.Tick(1, 1<<30)
				}
			}
		}
	}()
}

// finished reports whether the connection is at rest after an announced answer, and the
// program reads.
func (t *Tracked) finished() bool {
	s := t.http.State()
	return s.Over && !s.Busy
}

// tick does to each connection what a drain does at each tick.
func (ln *connListener) tick(limit int) {
	for _, c := range ln.all() {
		c.Tick(1, limit)
	}
}

func (ln *connListener) all() []*Tracked {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return append([]*Tracked(nil), ln.conns...)
}

// pair returns both ends of a connection. The server's is what Accept returns.
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

// plainPair returns the two ends of a TCP connection, of which the server's is package net's.
func plainPair(tb testing.TB) (server, client net.Conn) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	client = dialConn(tb, ln.Addr()).Conn
	if server, err = ln.Accept(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { server.Close() })
	return server, client
}

// clientConn is a client's connection, with methods that read parts of answers.
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

// full reads n bytes.
func (c *clientConn) full(n int) string {
	c.tb.Helper()
	p := make([]byte, n)
	if k, err := io.ReadFull(c.br, p); err != nil {
		c.tb.Fatalf("after %q: %v", p[:k], err)
	}
	return string(p)
}

// end fails the test unless the connection ends without a further byte.
func (c *clientConn) end() {
	c.tb.Helper()
	if p, err := io.ReadAll(c.br); err != nil || len(p) > 0 {
		c.tb.Fatalf("%q, %v instead of the connection's end", p, err)
	}
}

// mustStay fails the test if bytes come or the connection ends.
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

// eventually waits until ok returns true, for at most ten seconds.
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

// halfPipe is a net.Pipe as a ReadCloser.
type halfPipe struct{ net.Conn }

func (p halfPipe) CloseRead() error { return p.Close() }
