//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// httpConn is a client's connection, used byte by byte.
type httpConn struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dialHTTP(t testing.TB, addr string) *httpConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, stuck)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(stuck))
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

// startKeepAlive opens closed loops on connections that are kept, with a pause
// between requests. A request is failed that got no whole answer; one that cannot be
// sent because the client knows that the server has hung up is made on a new one.
func startKeepAlive(addr, request string, loops int, pause time.Duration) *load {
	l := &load{network: "tcp", addr: addr, stop: make(chan struct{}), generations: map[string]int{}}
	for range loops {
		l.group.Add(1)
		go l.keepAlive(request, pause)
	}
	return l
}

func (l *load) keepAlive(request string, pause time.Duration) {
	defer l.group.Done()
	var c net.Conn
	var r *bufio.Reader
	for {
		select {
		case <-l.stop:
			if c != nil {
				_ = c.Close()
			}
			return
		case <-time.After(pause):
		}
		if c == nil || hungUp(c) {
			var err error
			if c, err = net.DialTimeout(l.network, l.addr, stuck); err != nil {
				l.count("", err)
				continue
			}
			r = bufio.NewReader(c)
		}
		body, closes, err := roundTrip(c, r, request)
		l.count(body, err)
		if err != nil || closes {
			_ = c.Close()
			c = nil
		}
	}
}

// hungUp reports whether the client knows that the server has ended c. A conn with
// something to read at this point is of no use either.
func hungUp(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Unix(1, 0))
	defer c.SetReadDeadline(time.Time{})
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	return readable(raw)
}

func roundTrip(c net.Conn, r *bufio.Reader, request string) (body string, closes bool, err error) {
	_ = c.SetDeadline(time.Now().Add(stuck))
	if _, err := io.WriteString(c, request); err != nil {
		return "", false, fmt.Errorf("write: %w", err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", false, fmt.Errorf("read head: %w", err)
	}
	b, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", false, fmt.Errorf("read body: %w", err)
	case resp.StatusCode != http.StatusOK:
		return "", false, fmt.Errorf("status %s: %s", resp.Status, b)
	}
	return string(b), resp.Close, nil
}

func getRequest(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: e2e\r\n\r\n" }

func postRequest(path string, size int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: e2e\r\nContent-Length: %d\r\n\r\n%s", path, size, strings.Repeat("x", size))
}
