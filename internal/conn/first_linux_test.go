//go:build linux

package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// rester is where used connections rest.
type rester struct {
	shared *Shared
	full   bool
	file   *os.File // of the connection that rests
	left   time.Duration
	closed atomic.Int32
}

func newRester() *rester {
	r := &rester{}
	r.shared = &Shared{Draining: new(atomic.Bool), Closed: func(*Tracked) { r.closed.Add(1) }, Rest: r.rest}
	return r
}

func (r *rester) rest(c net.Conn, left time.Duration) bool {
	if r.full {
		return false
	}
	r.file, _ = c.(*net.TCPConn).File()
	r.left = left
	return true
}

// used returns a connection that was used when it moved, and its client.
func (r *rester) used(t *testing.T, left time.Duration) (server *tcpConn, client net.Conn) {
	t.Helper()
	inner, client := plainPair(t)
	outer, _ := NewUsed(inner, r.shared, left)
	return outer.(*tcpConn), client
}

// A connection whose client is silent rests, with the time that is left, and the program has it no more.
func TestUsedThenSilent(t *testing.T) {
	for left, room := range map[time.Duration]int{0: 9, time.Hour: 9, time.Minute: 1} { // a program that tells TLS from HTTP reads a byte
		r := newRester()
		server, client := r.used(t, left)
		server.SetReadDeadline(time.Now().Add(time.Second)) // of the new program, by which nothing ends
		began := time.Now()
		if n, err := server.Read(make([]byte, room)); n > 0 || err != io.EOF {
			t.Fatalf("Read: %d, %v, want io.EOF", n, err)
		}
		if d := time.Since(began); d < awaitedFor {
			t.Errorf("it rests after %v", d)
		}
		if r.left > left || r.left < left-10*time.Second {
			t.Errorf("%v is left of %v", r.left, left)
		}
		if _, err := server.Write([]byte("late")); !errors.Is(err, net.ErrClosed) || r.closed.Load() != 1 {
			t.Errorf("the program writes: %v; closed %d times", err, r.closed.Load())
		}
		resting, err := net.FileConn(r.file)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(client, "next")
		if b := make([]byte, 4); !reads(resting, b) {
			t.Errorf("where it rests: %q", b)
		}
		resting.Close()
		r.file.Close()
	}
}

func reads(c net.Conn, b []byte) bool {
	_, err := io.ReadFull(c, b)
	return err == nil
}

// A connection whose client sends is like any other from then on, and so is one that can't rest: Read waits until the
// program's deadline.
func TestUsed(t *testing.T) {
	took := make(chan time.Duration, 1) // until the program has ended its side
	for name, prepare := range map[string]func(*rester, *tcpConn, net.Conn){
		"the client sends": func(_ *rester, server *tcpConn, client net.Conn) {
			io.WriteString(client, "next")
			reads(server, make([]byte, 4))
		},
		"it can't rest":                   func(r *rester, _ *tcpConn, _ net.Conn) { r.full = true },
		"a drain":                         func(r *rester, _ *tcpConn, _ net.Conn) { r.shared.Draining.Store(true) },
		"the program ends its side first": func(_ *rester, server *tcpConn, _ net.Conn) { server.CloseWrite() },
		"the program ends its side": func(_ *rester, server *tcpConn, _ net.Conn) {
			began := time.Now()
			time.AfterFunc(awaitedFor/10, func() { server.CloseWrite(); took <- time.Since(began) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRester()
			server, client := r.used(t, time.Hour)
			prepare(r, server, client)
			end := time.Now().Add(2 * awaitedFor)
			server.SetReadDeadline(end)
			n, err := server.Read(make([]byte, 9))
			if name == "the program ends its side" {
				if d := <-took; d >= awaitedFor {
					t.Skipf("it took %v on a busy machine", d)
				}
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().Before(end) {
				t.Errorf("Read: %d, %v, %v before the deadline", n, err, time.Until(end))
			}
			server.SetReadDeadline(time.Time{})
			io.WriteString(client, "more")
			if b := make([]byte, 4); !reads(server, b) || r.file != nil {
				t.Errorf("then %q; rests: %v", b, r.file)
			}
		})
	}
}

// A deadline of the program that is earlier holds.
func TestUsedWithADeadline(t *testing.T) {
	r := newRester()
	server, client := r.used(t, time.Hour)
	server.SetReadDeadline(time.Now().Add(awaitedFor / 10))
	if n, err := server.Read(make([]byte, 9)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || r.file != nil {
		t.Errorf("Read: %d, %v, rests: %v", n, err, r.file)
	}
	server.SetReadDeadline(time.Time{})
	time.AfterFunc(2*awaitedFor, func() { io.WriteString(client, "next") })
	if b := make([]byte, 4); !reads(server, b) {
		t.Errorf("then %q", b)
	}
}

// The time of the first program bounds the Read where the connection can't rest, after an interruption too. The Read fails once.
func TestUsedCannotRest(t *testing.T) {
	for name, interrupted := range map[string]bool{"silent": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			r := newRester()
			r.full = true
			const left = awaitedFor * 3 / 2
			began := time.Now()
			server, client := r.used(t, left)
			if interrupted {
				time.AfterFunc(awaitedFor*5/4, func() { interrupt(server) })
			}
			server.SetReadDeadline(began.Add(10 * time.Second)) // of the new program
			if n, err := server.Read(make([]byte, 9)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %d, %v", n, err)
			}
			if d := time.Since(began); d < left || d > 5*time.Second {
				t.Errorf("it fails after %v", d)
			}
			io.WriteString(client, "next")
			if b := make([]byte, 4); !reads(server, b) {
				t.Errorf("then %q", b)
			}
		})
	}
}

// interrupt is Interrupt for a connection that then doesn't move.
func interrupt(c *tcpConn) {
	c.move.mu.Lock()
	defer c.move.mu.Unlock()
	c.move.interrupted.Store(true)
	c.socket.SetReadDeadline(longAgo)
}

// One that moves on before its client has sent has the time of the first program, and not what the second
// grants a new connection.
func TestUsedMovesOn(t *testing.T) {
	server, _ := newRester().used(t, time.Hour)
	server.SetReadDeadline(time.Now().Add(time.Second))
	if d := server.rest(); d < time.Minute {
		t.Errorf("%v left", d)
	}
	unlimited, _ := newRester().used(t, 0)
	unlimited.SetReadDeadline(time.Now().Add(time.Second))
	if d := unlimited.rest(); d != 0 {
		t.Errorf("%v left, and no limit before", d)
	}
}
