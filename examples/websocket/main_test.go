//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/rota-go/rota/internal/e2etest"
)

// Reloads under sockets that are open all the time: every message is sent back, and
// sockets end because their clients, asked to, close them.
func TestReloadUnderSockets(t *testing.T) {
	p := e2etest.StartProgram(t)
	var asked sync.Map
	e2etest.UnderLoad(p, 32, 6, func() error {
		err := talk(p.Addr(), &asked)
		return err
	})
	if _, any := asked.Load(leaving); !any {
		t.Error("no client was asked to leave: no socket was open over a reload")
	}
}

// talk sends messages until it is asked to leave, 200 at most.
func talk(addr string, asked *sync.Map) error {
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer c.CloseNow()
	last := false
	for i := 0; i < 200 && !last; i++ {
		want := fmt.Sprint("message ", i)
		if err := c.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		got := ""
		for got != want {
			_, b, err := c.Read(ctx)
			if err != nil {
				return fmt.Errorf("%q was not sent back: %w", want, err)
			}
			if got = string(b); got == leaving {
				asked.Store(leaving, true)
				last = true
			}
		}
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

// A client that only listens gets a close frame with status 1012 in each reload, and can
// connect again at once. No socket ends without a close frame.
func TestCloseFrameOfAReload(t *testing.T) {
	p := e2etest.StartProgram(t)
	var restarts atomic.Int64
	e2etest.UnderLoad(p, 16, 6, func() error { return listen(p.Addr(), &restarts) })
	if n := restarts.Load(); n < 16 {
		t.Errorf("%d sockets were closed with status 1012 in 6 reloads under 16 clients", n)
	}
}

// listen reads 40 messages at most, and counts the close frame of a reload.
func listen(addr string, restarts *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws://"+addr+"/clock", nil)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer c.CloseNow()
	for range 40 {
		_, _, err := c.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusServiceRestart {
			restarts.Add(1)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
	return c.Close(websocket.StatusNormalClosure, "")
}
