//go:build linux

package e2etest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Get returns a GET request as bytes.
func Get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: e2e\r\n\r\n" }

// Post returns a POST request with a body of size bytes, as bytes.
func Post(path string, size int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: e2e\r\nContent-Length: %d\r\n\r\n%s", path, size, strings.Repeat("x", size))
}

// Request makes one request on a connection of its own, and returns the body of the answer.
func Request(network, addr, path string) (string, error) {
	c, err := net.DialTimeout(network, addr, Stuck)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return RequestOn(c, path)
}

// RequestOn makes the last request on c, and returns the body of the answer. An answer
// that isn't whole, or whose status isn't 200, is an error.
func RequestOn(c net.Conn, path string) (string, error) {
	body, _, err := NewConn(c).RoundTrip("GET " + path + " HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n\r\n")
	return body, err
}

// Conn is a client's connection.
type Conn struct {
	net.Conn
	R *bufio.Reader // of Conn
}

// NewConn returns a Conn on c.
func NewConn(c net.Conn) *Conn { return &Conn{c, bufio.NewReaderSize(c, 1024)} }

// RoundTrip sends a request and returns the body of the answer, and whether the server
// says that it closes the connection. An answer that isn't whole, or whose status isn't
// 200, is an error.
func (c *Conn) RoundTrip(request string) (body string, closes bool, err error) {
	_ = c.SetDeadline(time.Now().Add(Stuck))
	if _, err := io.WriteString(c, request); err != nil {
		return "", false, fmt.Errorf("write: %w", err)
	}
	resp, err := http.ReadResponse(c.R, nil)
	if err != nil {
		return "", false, fmt.Errorf("read head: %w", err)
	}
	b, err := io.ReadAll(resp.Body) // an error if it is shorter than it says
	switch {
	case err != nil:
		return "", false, fmt.Errorf("read body: %w", err)
	case resp.StatusCode != http.StatusOK:
		return "", false, fmt.Errorf("status %s: %s", resp.Status, b)
	}
	return string(b), resp.Close, nil
}

// OrUnsent returns err, an error of net/http's client for a request whose body can't be read
// again, or ErrNoRequest if the client has found, before it sent anything, that the connection
// that it had chosen takes no more requests. A request that was sent and refused fails with
// "cannot retry err [...] after Request.Body was written".
func OrUnsent(err error) error {
	if err != nil && strings.Contains(err.Error(), "cannot rewind body after connection loss") {
		return ErrNoRequest
	}
	return err
}
