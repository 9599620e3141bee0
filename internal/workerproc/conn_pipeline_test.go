package workerproc

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

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
