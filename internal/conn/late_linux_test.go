//go:build linux

package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The deadline of the program that has had a connection before fails one Read, and only if the client
// hasn't sent meanwhile.
func TestLate(t *testing.T) {
	for name, sent := range map[string]string{"silent": "", "silent, one byte": "", "sent": "GET"} {
		t.Run(name, func(t *testing.T) {
			inner, client := plainPair(t)
			c, _ := NewUsed(inner, &Shared{Draining: new(atomic.Bool), Closed: func(*Tracked) {}}, time.Nanosecond)
			defer c.Close()
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			b := make([]byte, 3)
			if io.WriteString(client, sent); sent == "" {
				var timeout net.Error
				if n, err := c.Read(b[:roomOf(name)]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("read %d, %v, want a deadline that has passed", n, err)
				}
				io.WriteString(client, "GET")
			} else {
				for !c.(interface{ base() *conn }).base().socket.InputWaiting() {
					time.Sleep(time.Millisecond)
				}
			}
			if _, err := io.ReadFull(c, b); err != nil || string(b) != "GET" {
				t.Errorf("read %q, %v", b, err)
			}
		})
	}
}

// roomOf returns how much a program reads at first. One that tells TLS from HTTP reads a byte.
func roomOf(name string) int {
	if strings.HasSuffix(name, "one byte") {
		return 1
	}
	return 3
}

// crossing is a connection whose program sets a deadline while the conn is setting another.
type crossing struct {
	ReadCloser
	cross func()
}

func (c *crossing) SetReadDeadline(t time.Time) error {
	if f := c.cross; f != nil {
		c.cross = nil
		f()
	}
	return c.ReadCloser.SetReadDeadline(t)
}

// A deadline that another goroutine sets as the first Read begins to wait holds.
func TestDeadlineDuringFirst(t *testing.T) {
	plain, _ := plainPair(t)
	inner := &crossing{ReadCloser: plain.(ReadCloser)}
	server, tracked := NewTracked(inner, newShared())
	inner.cross = func() { server.SetReadDeadline(longAgo) }
	tracked.shared.Draining.Store(true) // so it can't rest
	tracked.move.first.Store(&first{until: time.Now().Add(time.Hour), waits: true})
	result := reading{make(chan error, 1)}
	go func() {
		_, err := server.Read(make([]byte, 9))
		result.result <- err
	}()
	if err := result.wait(10 * time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v, want the program's deadline", err)
	}
}
