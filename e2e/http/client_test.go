//go:build linux

package http

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// httpConn is a client's connection, used byte by byte.
type httpConn struct {
	t testing.TB
	net.Conn
	r *bufio.Reader // of Conn
}

func dialHTTP(t testing.TB, addr string) *httpConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, e2etest.Stuck)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(e2etest.Stuck))
	return &httpConn{t, c, bufio.NewReader(c)}
}

func (c *httpConn) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// answer reads a whole answer with that status.
func (c *httpConn) answer(status int) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("read head: %v", err)
	}
	if resp.StatusCode != status {
		c.t.Fatalf("status %s, want %d", resp.Status, status)
	}
	if status < 200 {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read body: %v", err)
	}
	return resp, string(body)
}

func (c *httpConn) get(path string) (*http.Response, string) {
	c.t.Helper()
	c.send("GET %s HTTP/1.1\r\nHost: e2e\r\n\r\n", path)
	return c.answer(http.StatusOK)
}

// line reads a line.
func (c *httpConn) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read line: %v", err)
	}
	return line
}

// mustEnd checks that the server ends the connection cleanly, and nothing more comes.
func (c *httpConn) mustEnd() {
	c.t.Helper()
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		c.t.Errorf("the connection ended with %q, %v; want io.EOF", b, err)
	}
}
