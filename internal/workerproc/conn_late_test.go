package workerproc

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A pipeline whose rest comes after the announcement, while the answer is still going
// out, takes nothing from that answer.
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
		return len(conn) == 1 && conn[0].rests()
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
