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
