package main

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// Transfers are slowed down, so that each lasts over several reloads.

// download gets the big file again and again.
func (l *load) download() {
	l.transfers(func(c *conn) (string, error) {
		if _, err := io.WriteString(c, "GET /big HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
			return "", fmt.Errorf("write: %w", err)
		}
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			return "", fmt.Errorf("read head: %w", err)
		}
		n, err := io.Copy(io.Discard, slowly(resp.Body, l.shape.rate))
		if err == nil && (n != transferSize || resp.StatusCode != http.StatusOK) {
			err = fmt.Errorf("%s and %d bytes, want 200 and %d", resp.Status, n, transferSize)
		}
		return resp.Header.Get("X-Pid"), err
	})
}

var uploads atomic.Int64 // a name for each

// upload puts as much.
func (l *load) upload() {
	l.transfers(func(c *conn) (string, error) {
		_, err := fmt.Fprintf(c, "PUT /put%d HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n", uploads.Add(1)%l.slots(), transferSize)
		if err == nil {
			_, err = io.Copy(c.Conn, slowly(io.LimitReader(zeros{}, transferSize), l.shape.rate))
		}
		if err != nil {
			return "", fmt.Errorf("write: %w", err)
		}
		_, pid, err := c.answer(-1)
		return pid, err
	})
}

// slots bounds what a server that keeps the files has to keep.
func (l *load) slots() int64 { return int64(l.shape.conns) }

func (l *load) transfers(one func(*conn) (pid string, err error)) {
	b := l.book()
	defer b.close()
	for !l.stopping.Load() {
		began := time.Now()
		c, err := dial(l.p.addr)
		if err == nil {
			var pid string
			if pid, err = one(c); err == nil {
				b.answered(began, pid)
			}
			_ = c.Close()
		}
		if err != nil {
			l.fail(err)
			time.Sleep(time.Millisecond)
		}
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// slowly reads from r at so many bytes a second.
func slowly(r io.Reader, rate int) io.Reader {
	return &slowReader{r: r, rate: rate, began: time.Now()}
}

type slowReader struct {
	r     io.Reader
	rate  int
	n     int
	began time.Time
}

func (s *slowReader) Read(p []byte) (int, error) {
	due := time.Duration(float64(s.n) / float64(s.rate) * float64(time.Second))
	time.Sleep(time.Until(s.began.Add(due)))
	n, err := s.r.Read(p[:min(len(p), 64<<10)])
	s.n += n
	return n, err
}
