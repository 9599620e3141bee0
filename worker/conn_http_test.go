package worker

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answers are net/http handlers of every shape of answer. Each is asked once
// before the drain, where the answer must be as the program made it, and once
// in it, where it must be announced and be the connection's last.
var answers = []struct {
	name, request, method, body string
	handler                     http.HandlerFunc
}{
	{"length", getRequest, "GET", "hello", hello},
	{"head", "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD", "", hello},
	{"no content", getRequest, "GET", "", status(204)},
	{"not modified", getRequest, "GET", "", status(304)},
	{"early hints", getRequest, "GET", "hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(http.StatusEarlyHints)
		hello(w, r)
	}},
	{"chunked", getRequest, "GET", strings.Repeat("abc", 3000), func(w http.ResponseWriter, r *http.Request) {
		for range 3000 {
			io.WriteString(w, "abc")
		}
		http.NewResponseController(w).Flush()
	}},
	{"events", getRequest, "GET", strings.Repeat("data: x\n\n", 20), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 20 {
			io.WriteString(w, "data: x\n\n")
			http.NewResponseController(w).Flush()
		}
	}},
	{"trailers", getRequest, "GET", "hello", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		hello(w, r)
		w.Header().Set("X-Sum", "1")
	}},
	{"long head", getRequest, "GET", "hello", func(w http.ResponseWriter, r *http.Request) {
		for i := range 30 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 500))
		}
		hello(w, r)
	}},
	{"body like an answer", getRequest, "GET", plainAnswer, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(plainAnswer)))
		http.NewResponseController(w).Flush() // the body is a Write of its own
		io.WriteString(w, plainAnswer)
	}},
	{"big body", getRequest, "GET", strings.Repeat("x", 1<<20), func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte("x"), 1<<20))
	}},
	{"upload", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 36\r\n\r\n" + plainAnswer[:36], "POST", plainAnswer[:36], echoBody},
	{"chunked upload", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n2;x\r\n /\r\n0\r\n\r\n", "POST", "GET /", echoBody},
	{"unread upload", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", "POST", "hello", hello},
	{"full duplex", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 36\r\n\r\n" + plainAnswer[:36], "POST", plainAnswer[:36], func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "36")
		http.NewResponseController(w).EnableFullDuplex()
		http.NewResponseController(w).Flush()
		echoBody(w, r)
	}},
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
}

func echoBody(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }

func TestConnHTTPAnswers(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, a := range answers {
			t.Run(network+"/"+a.name, func(t *testing.T) {
				ln := serveConns(t, network, a.handler)
				c := dialConn(t, ln.Addr())
				c.send(a.request)
				before, body := c.answer(a.method)
				if body != a.body || announced(before) {
					t.Fatalf("before the drain: %s%.100q", before, body)
				}
				ln.drain()
				c.send(a.request)
				head, body := c.answer(a.method)
				if body != a.body || !announced(head) {
					t.Fatalf("in the drain: %s%.100q", head, body)
				}
				c.end()
				eventually(t, "the conn is counted out", func() bool { return ln.live.Load() == 0 })
			})
		}
	}
}

// The first answer of a connection is helped like any other.
func TestConnFirstAnswer(t *testing.T) {
	ln := serveConns(t, "tcp", hello)
	ln.drain()
	c := dialConn(t, ln.Addr())
	c.send(getRequest)
	if head, _ := c.answer("GET"); !announced(head) {
		t.Errorf("not announced: %s", head)
	}
	c.end()
}

func TestConnContinue(t *testing.T) {
	ln := serveConns(t, "tcp", echoBody)
	ln.drain()
	c := dialConn(t, ln.Addr())
	c.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if head := c.head(); head != "HTTP/1.1 100 Continue\r\n\r\n" {
		t.Fatalf("got %q", head)
	}
	for range 10 { // a client that takes its time with the body is not idle
		ln.tick(1)
	}
	c.send("abcde")
	if head, body := c.answer("POST"); !announced(head) || body != "abcde" {
		t.Errorf("got %s%q", head, body)
	}
	c.end()
}

// A file is sent by sendfile, in a drain too.
func TestConnFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	content := strings.Repeat("0123456789abcdef", 1<<16)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	c := dialConn(t, ln.Addr())
	for _, draining := range []bool{false, true} {
		ln.w.draining.Store(draining)
		before := ln.events()
		c.send(getRequest)
		if head, body := c.answer("GET"); body != content || announced(head) != draining {
			t.Fatalf("draining=%v: %s, %d bytes", draining, head, len(body))
		}
		if n := ln.events() - before; n > 8 {
			t.Errorf("draining=%v: the file was sent in %d writes", draining, n)
		}
	}
	c.end()
}

func (ln *connListener) events() (sum uint32) {
	for _, c := range ln.all() {
		c.mu.Lock()
		sum += c.track.Events()
		c.mu.Unlock()
	}
	return sum
}

// Every answer of a pipeline is sent, and the one that announces the end is the
// last: a client may look no further.
func TestConnPipeline(t *testing.T) {
	for _, n := range []int{3, 60} {
		ln := serveConns(t, "tcp", echoPath)
		ln.drain()
		c := dialConn(t, ln.Addr())
		c.send(pipeline(n))
		for i := range n {
			head, body := c.answer("GET")
			if body != fmt.Sprint("/", i) || announced(head) != (i == n-1) {
				t.Errorf("answer %d of %d: %s%q", i, n, head, body)
			}
		}
		c.end()
	}
}

// A pipeline that is longer than any patience is told earlier, and still served.
func TestConnLongPipeline(t *testing.T) {
	const n = 1000
	ln := serveConns(t, "tcp", echoPath)
	ln.drain()
	c := dialConn(t, ln.Addr())
	c.send(pipeline(n))
	told := 0
	for i := range n {
		head, body := c.answer("GET")
		if body != fmt.Sprint("/", i) {
			t.Fatalf("answer %d: %s%q", i, head, body)
		}
		if announced(head) {
			told++
		}
	}
	if told < 2 {
		t.Error("only the last answer announces the end")
	}
	c.end()
}

// Requests that come byte by byte are answered up to the announcement.
func TestConnSlowPipeline(t *testing.T) {
	ln := serveConns(t, "tcp", echoPath)
	ln.drain()
	c := dialConn(t, ln.Addr())
	go func() {
		for _, b := range []byte(pipeline(100)) {
			c.Write([]byte{b})
		}
	}()
	for i := 0; ; i++ {
		head, body := c.answer("GET")
		if body != fmt.Sprint("/", i) {
			t.Fatalf("answer %d: %s%q", i, head, body)
		}
		if announced(head) {
			return
		}
	}
}

func echoPath(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }

func pipeline(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
	}
	return all.String()
}

// tunnel is a handler that takes the conn over and echoes, after the answer.
func tunnel(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, brw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		io.WriteString(conn, answer)
		line := bufio.NewReader(brw)
		for {
			s, err := line.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(conn, s)
		}
	}
}

// What follows a 101 or a CONNECT is left alone, silent or not.
func TestConnTunnels(t *testing.T) {
	for _, tt := range []struct{ name, request, answer string }{
		{"upgrade", "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"},
		{"connect", "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
	} {
		for _, when := range []string{"before", "during"} {
			t.Run(tt.name+" "+when, func(t *testing.T) {
				ln := serveConns(t, "tcp", tunnel(tt.answer))
				if when == "during" {
					ln.drain()
				}
				c := dialConn(t, ln.Addr())
				c.send(tt.request)
				if got := c.full(len(tt.answer)); got != tt.answer {
					t.Fatalf("got %q", got)
				}
				ln.drain()
				for _, s := range []string{"hello\n", "HTTP/1.1 200 OK\r\n", "GET / HTTP/1.1\r\n"} {
					for range 5 {
						ln.tick(1)
					}
					c.send(s)
					if got := c.full(len(s)); got != s {
						t.Fatalf("sent %q, got %q", s, got)
					}
				}
			})
		}
	}
}

// An answer that goes on for longer than any idle time is left to go on, and
// what goes into it after the drain began is its own.
func TestConnStream(t *testing.T) {
	lines := make(chan string)
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
		for s := range lines {
			io.WriteString(w, s)
			http.NewResponseController(w).Flush()
		}
	})
	c := dialConn(t, ln.Addr())
	c.send(getRequest)
	const s = "HTTP/1.1 200 OK\r\n"
	lines <- s
	head := c.head()
	c.full(len("11\r\n" + s + "\r\n"))
	ln.drain()
	for range 10 {
		ln.tick(1)
		lines <- s
		if got := c.full(len("11\r\n" + s + "\r\n")); got != "11\r\n"+s+"\r\n" {
			t.Fatalf("got %q", got)
		}
	}
	close(lines)
	if got := c.full(5); got != "0\r\n\r\n" || announced(head) {
		t.Fatalf("got %q", got)
	}
	for range 3 { // nothing was announced: the client may still ask
		c.send(getRequest)
		head, _ := c.answer("GET")
		if announced(head) {
			break
		}
	}
	c.end()
}

// A handler that thinks for long is not idle, nor is a request that trickles in.
func TestConnLongHandler(t *testing.T) {
	begun, end := make(chan bool), make(chan bool)
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-end
		if r.Context().Err() != nil {
			t.Error("the request was cancelled")
		}
		hello(w, r)
	})
	c := dialConn(t, ln.Addr())
	for _, draining := range []bool{false, true} {
		ln.w.draining.Store(draining)
		for _, part := range []string{"GET ", "/ HTTP/1.1\r\nHo", "st: h\r\n\r\n"} {
			c.send(part)
			eventually(t, "the part is read", func() bool { return len(ln.all()) > 0 && !ln.all()[0].atRest() })
			for range 5 {
				ln.tick(1)
			}
		}
		<-begun
		for range 5 {
			ln.tick(1)
		}
		end <- true
		if head, body := c.answer("GET"); body != "hello" || announced(head) != draining {
			t.Fatalf("draining=%v: %s%q", draining, head, body)
		}
	}
	c.end()
}

func (c *conn) atRest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.track.Rest()
}

// A conn at rest ends at the limit-th tick, not before, and one that never was
// answered does not.
func TestConnIdle(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ln := serveConns(t, network, hello)
			silent := dialConn(t, ln.Addr())
			c := dialConn(t, ln.Addr())
			for range 3 {
				c.send(getRequest)
				c.answer("GET")
			}
			ln.drain()
			eventually(t, "both are quiet", func() bool {
				all := ln.all()
				return len(all) == 2 && all[0].quiet() && all[1].quiet() && all[1].atRest()
			})
			for range 5 {
				ln.tick(5)
			}
			if ln.live.Load() != 2 {
				t.Fatal("ended too early")
			}
			ln.tick(5)
			c.end()
			eventually(t, "the idle one is counted out", func() bool { return ln.live.Load() == 1 })
			for range 20 {
				ln.tick(5)
			}
			silent.send(getRequest)
			if head, _ := silent.answer("GET"); !announced(head) {
				t.Errorf("not announced: %s", head)
			}
			silent.end()
		})
	}
}
