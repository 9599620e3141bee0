//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// Reloads cost no request and no connection, though fasthttp doesn't know of rota: the
// connections move to the next worker.
func TestReloadUnderRequests(t *testing.T) {
	for _, tc := range []struct {
		name, request, want string
		pause               time.Duration
	}{
		{"closed loop", "GET / HTTP/1.1\r\nHost: e2e\r\n\r\n", "whole", 0},
		{"POSTs with pauses", "POST / HTTP/1.1\r\nHost: e2e\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000),
			strings.Repeat("x", 1000) + "whole", time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := e2etest.StartProgram(t)
			var closed atomic.Int64
			e2etest.UnderLoad(p, 32, 20, func() error { return session(p.Addr(), tc.request, tc.want, tc.pause, &closed) })
			if n := closed.Load(); n > 0 {
				t.Errorf("%d answers said Connection: close", n)
			}
		})
	}
}

// session makes 1000 requests on one connection, or fewer if an answer says Connection: close.
// The server may not end the connection before.
func session(addr, request, want string, pause time.Duration, closed *atomic.Int64) error {
	c, err := net.DialTimeout("tcp", addr, e2etest.Stuck)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(e2etest.Stuck))
	r := bufio.NewReader(c)
	for i := range 1000 {
		if _, err := io.WriteString(c, request); err != nil {
			return fmt.Errorf("request %d: write: %w", i, err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return fmt.Errorf("request %d: read head: %w", i, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || string(b) != want {
			return fmt.Errorf("request %d: %d bytes: %w", i, len(b), err)
		}
		if resp.Close {
			closed.Add(1)
			return nil
		}
		time.Sleep(pause)
	}
	return nil
}
