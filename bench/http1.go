package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// answerTime is how long an answer may take before the request has failed.
const answerTime = 20 * time.Second

// conn is a client's HTTP/1 connection.
type conn struct {
	net.Conn
	r   *bufio.Reader
	raw syscall.RawConn
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, answerTime)
	if err != nil {
		return nil, err
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	return &conn{c, bufio.NewReader(c), raw}, err
}

// hungUp reports whether the server has closed the connection. Clients check before they
// send, so only requests that cross the close can fail.
func (c *conn) hungUp() (yes bool) {
	_ = c.raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return yes
}

// http1 makes requests in a loop, and keeps connections open if the server allows it.
func (l *load) http1() {
	b := l.book()
	defer b.close()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: bench\r\n", l.shape.method, l.shape.path)
	if l.shape.once {
		head += "Connection: close\r\n"
	}
	if l.shape.body > 0 {
		head += fmt.Sprintf("Content-Length: %d\r\n", l.shape.body)
	}
	request := []byte(head + "\r\n" + strings.Repeat("x", l.shape.body))
	var c *conn
	for !l.stopping.Load() {
		c = l.one(b, c, request)
		if l.shape.pause > 0 {
			time.Sleep(l.shape.pause)
		}
	}
	if c != nil {
		_ = c.Close()
	}
}

// one makes one request, on c if it can be used, and returns the connection for the
// next, if there is one.
func (l *load) one(b *book, c *conn, request []byte) *conn {
	began := time.Now()
	if c != nil && c.hungUp() {
		l.nClosed.Add(1)
		_ = c.Close()
		c = nil
	}
	var err error
	if c == nil {
		if c, err = dial(l.p.addr); err != nil {
			l.fail(fmt.Errorf("dial: %w", err))
			time.Sleep(time.Millisecond) // refused: don't spin
			return nil
		}
	}
	keep, pid, err := c.exchange(request)
	if err != nil {
		l.fail(err)
	} else {
		b.answered(began, pid)
		if !keep && !l.shape.once {
			l.nClosed.Add(1)
		}
	}
	if err != nil || !keep {
		_ = c.Close()
		return nil
	}
	return c
}

func (c *conn) exchange(request []byte) (keep bool, pid string, err error) {
	_ = c.SetDeadline(time.Now().Add(answerTime))
	if _, err := c.Write(request); err != nil {
		return false, "", fmt.Errorf("write: %w", err)
	}
	return c.answer(int64(len("hello\n")))
}

// answer reads an answer. It fails unless the answer is complete, of the given size, and
// has a status of 2xx.
func (c *conn) answer(size int64) (keep bool, pid string, err error) {
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return false, "", fmt.Errorf("read head: %w", err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	switch {
	case err != nil:
		return false, "", fmt.Errorf("read body: %w", err)
	case resp.StatusCode/100 != 2:
		return false, "", errors.New(resp.Status)
	case n != size && size >= 0:
		return false, "", fmt.Errorf("a body of %d bytes, want %d", n, size)
	}
	return !resp.Close, resp.Header.Get("X-Pid"), nil
}
