package workerproc

import (
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/http1"
	"github.com/rota-go/rota/internal/pace"
	"github.com/rota-go/rota/internal/wire"
)

// Of many clients some are told at once and all in a moment, and who has been told is
// told by every answer.
func TestConnsAreToldAtAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4 * pace.AtOnce
		w := newWatch()
		conns, out := make([]conn, n), make([]dripConn, n)
		for i := range conns {
			out[i].room = math.MaxInt
			conns[i].init(&out[i], w, false)
		}
		answer := func() (told int) {
			for i := range conns {
				out[i].got.Reset()
				conns[i].asks()
				conns[i].received([]byte("GET / HTTP/1.1\r\n\r\n"))
				if _, err := conns[i].Write([]byte(plainAnswer)); err != nil {
					t.Fatal(err)
				}
				if s := out[i].got.String(); strings.Contains(s, http1.Line) {
					told++
				} else if s != plainAnswer {
					t.Fatalf("conn %d: %q", i, s)
				}
			}
			return told
		}
		if k := answer(); k != 0 {
			t.Fatalf("%d told before the drain", k)
		}
		w.pace.Begin(n, time.Hour)
		w.draining.Store(true)
		for range 2 {
			if k := answer(); k != pace.AtOnce {
				t.Errorf("%d told at once, want %d", k, pace.AtOnce)
			}
		}
		time.Sleep(pace.Limit / 10)
		if k := answer(); k <= pace.AtOnce || k == n {
			t.Errorf("%d told after a tenth of the time", k)
		}
		time.Sleep(pace.Limit)
		if k := answer(); k != n {
			t.Errorf("%d told when the time is over, want all", k)
		}
	})
}

// The pace begins with the drain, and leaves most of the grace to the clients.
func TestDrainBeginsThePace(t *testing.T) {
	for grace, want := range map[time.Duration]time.Duration{
		time.Minute:            pace.Limit,
		100 * time.Millisecond: 25 * time.Millisecond,
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			const n = 1000
			ln, err := b.take(&listener{Listener: newPipeListener(), id: 1}, bind.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for range n {
				client, server := net.Pipe()
				defer client.Close()
				_, c := newConn(server, ln.(*listener).watch)
				b.drain.addConn(c)
			}
			b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: grace})
			b.receive(wire.Disconnect, nil)
			if last := ln.(*listener).watch.pace.Turn(n - 1); last.Round(time.Millisecond) != want {
				t.Errorf("grace %v: the last of %d is told after %v, want %v", grace, n, last, want)
			}
		})
	}
}
