//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/rota-go/rota/internal/e2etest"
)

// client is a member of the test. It counts what each member has said.
type client struct {
	name    string
	conn    net.Conn
	r       io.Reader
	counted map[string]int
	ended   int // how many have said the end
}

func dial(t *testing.T, addr, name string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e2etest.Stuck)
	defer cancel()
	conn, br, _, err := ws.Dial(ctx, "ws://"+addr+"/"+name)
	e2etest.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &client{name: name, conn: conn, r: conn, counted: map[string]int{}}
	if br != nil {
		c.r = io.MultiReader(br, conn)
	}
	return c
}

// hear reads a text. What a member says must be the next of its numbers.
func (c *client) hear() error {
	c.conn.SetReadDeadline(time.Now().Add(e2etest.Stuck))
	b, err := wsutil.ReadServerText(readWriter{c.r, c.conn})
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	who, n, ok := strings.Cut(string(b), ": ")
	if !ok {
		return nil // somebody joins
	}
	if n == end {
		c.ended++
		return nil
	}
	c.counted[who]++
	if n != fmt.Sprint(c.counted[who]) {
		return fmt.Errorf("%s hears %q, and not %d", c.name, b, c.counted[who])
	}
	return nil
}

type readWriter struct {
	io.Reader
	io.Writer
}

// end is what a member says last.
const end = "that was all"

// run says numbers, each when the last was counted, until stop. It returns when everybody has said
// the end.
func (c *client) run(stop *atomic.Bool, all int) error {
	for last := 0; c.ended < all; {
		if last == c.counted[c.name] {
			text := fmt.Sprint(last + 1)
			if stop.Load() {
				text = end
			}
			last++
			if err := wsutil.WriteClientText(c.conn, []byte(text)); err != nil {
				return err
			}
		}
		if err := c.hear(); err != nil {
			return err
		}
	}
	return nil
}

// Members stay connected through reloads, and hear everything, in order.
func TestReloadsUnheard(t *testing.T) {
	reloads := 10
	if os.Getenv("ROTA_E2E_LONG") != "" {
		reloads = 100
	}
	p := e2etest.StartProgram(t)
	const all = 16
	var members []*client
	for i := range all {
		c := dial(t, p.Addr(), fmt.Sprint("m", i))
		members = append(members, c)
		e2etest.NoError(t, c.hear()) // that it joins
	}
	var stop atomic.Bool
	errs := make(chan error, all)
	for _, c := range members {
		go func() { errs <- c.run(&stop, all) }()
	}
	for range reloads {
		p.Reload()
	}
	p.WaitIdle(1)
	stop.Store(true)
	for range all {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d reloads; %v", reloads, members[0].counted)
}
