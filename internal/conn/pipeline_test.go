package conn

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Every answer of a pipeline is sent, and only the last announces the end: a client may
// ignore what follows the announcement.
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

// In a very long pipeline an earlier answer announces the end, and all are still sent.
func TestConnLongPipeline(t *testing.T) {
	const n = 1000
	ln := serveConns(t, "tcp", echoPath)
	ln.drain()
	c := dialConn(t, ln.Addr())
	c.send(pipeline(n))
	count := 0
	for i := range n {
		head, body := c.answer("GET")
		if body != fmt.Sprint("/", i) {
			t.Fatalf("answer %d: %s%q", i, head, body)
		}
		if announced(head) {
			count++
		}
	}
	if count < 2 {
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

// Requests that arrive after the announcement, while the answer is still being sent, don't
// cut that answer.
func TestConnLatePipeline(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what the kernel has not sent yet is not known here")
	}
	long := strings.Repeat("x", 2<<20)
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, long) })
	ln.drain()
	c := dialConn(t, ln.Addr())
	c.send(getRequest)
	eventually(t, "the answer is written", func() bool {
		conn := ln.all()
		return len(conn) == 1 && conn[0].finished()
	})
	time.Sleep(10 * time.Millisecond) // it must not close meanwhile
	c.send(getRequest)
	for range 2 {
		if head, body := c.answer("GET"); body != long || !announced(head) {
			t.Fatalf("got %s and %d bytes", head, len(body))
		}
	}
	c.end()
}
