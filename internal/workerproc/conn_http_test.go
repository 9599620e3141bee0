package workerproc

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
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
