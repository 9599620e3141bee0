//go:build linux

package socket

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// broker passes what is published to the subscribers, which it has in memory, as MQTT and
// NATS servers do. CloseWithin is in its flags.
func broker() {
	within, err := time.ParseDuration(os.Getenv(e2etest.FlagsEnv))
	if err != nil {
		log.Fatal(err)
	}
	lc := rota.ListenConfig{CloseWithin: within}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	var subscribers sync.Map
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go serveBroker(c, &subscribers)
	}
}

// serveBroker serves a client: "sub", or "pub" and a text.
func serveBroker(c net.Conn, subscribers *sync.Map) {
	defer c.Close()
	defer subscribers.Delete(c)
	for in := bufio.NewScanner(c); in.Scan(); {
		verb, text, _ := strings.Cut(in.Text(), " ")
		if verb == "sub" {
			subscribers.Store(c, true)
			continue
		}
		subscribers.Range(func(s, _ any) bool {
			fmt.Fprintln(s.(net.Conn), text)
			return true
		})
	}
}

// With CloseWithin a reload brings all clients to the new worker at once, long before the
// grace ends: none stays subscribed to a process to which nobody publishes any more.
func TestCloseWithinKeepsClientsTogether(t *testing.T) {
	for _, within := range []time.Duration{rota.AtOnce, 500 * time.Millisecond} {
		t.Run(fmt.Sprint(within), func(t *testing.T) {
			t.Parallel()
			cfg := server.Quick(1)
			cfg.Grace = time.Hour
			p := e2etest.Start(t, "broker", cfg, e2etest.FlagsEnv+"="+within.String())
			var subs [20]subscriber
			stop := make(chan struct{})
			var group sync.WaitGroup
			for i := range subs {
				group.Go(func() { subs[i].run(p.Addr(), stop) })
			}
			for round := range 3 {
				text := fmt.Sprint("round ", round)
				publishUntil(t, p.Addr(), text, func() bool { return allHave(subs[:], text) })
				p.Reload()
				p.WaitLog(e2etest.WorkerLeft, round+1)
			}
			close(stop)
			p.Signal(15)
			p.Wait()
			group.Wait()
		})
	}
}

// subscriber is a client that subscribes again when its connection ends.
type subscriber struct{ last atomic.Pointer[string] }

func (s *subscriber) run(addr string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		fmt.Fprintln(c, "sub")
		for in := bufio.NewScanner(c); in.Scan(); {
			text := in.Text()
			s.last.Store(&text)
		}
		c.Close()
	}
}

func allHave(subs []subscriber, text string) bool {
	for i := range subs {
		if last := subs[i].last.Load(); last == nil || *last != text {
			return false
		}
	}
	return true
}

// publishUntil publishes on one connection, which it opens again when it ends.
func publishUntil(t *testing.T, addr, text string, done func() bool) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e2etest.WaitFor(t, "all subscribers to have "+text, func() bool {
		fmt.Fprintln(c, "pub", text)
		return done()
	})
}
