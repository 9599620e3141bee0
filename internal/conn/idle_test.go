package conn

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Input that a client sends after the announcement is still served. Read returns io.EOF
// only if none waits.
func TestConnInputAfterAnnouncement(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		ln := listenConns(t, network)
		ln.drain()
		server, client := ln.pair(t)
		buf := make([]byte, len(getRequest))
		for range 3 {
			io.WriteString(client, getRequest)
			eventually(t, "the request waits", ln.all()[0].socket.InputWaiting)
			if n, err := server.Read(buf); n != len(getRequest) || err != nil {
				t.Fatalf("Read = %d, %v", n, err)
			}
			io.WriteString(server, plainAnswer)
		}
		server.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := server.Read(buf[:1]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("a Read that only looks out: %v", err)
		}
		if ln.all()[0].socket.InputWaiting() {
			t.Error("input waits that nobody sent")
		}
		if _, err := server.Read(buf); err != io.EOF {
			t.Fatalf("Read: %v, want EOF", err)
		}
		io.WriteString(client, getRequest)
		if _, err := server.Read(buf); err != io.EOF {
			t.Fatalf("Read after EOF: %v", err)
		}
		server.(halfCloser).CloseWrite()
		if got, _ := io.ReadAll(client); string(got) != strings.Repeat(lastAnswer, 3) {
			t.Errorf("got %q", got)
		}
	}
}

// On an untracked connection Quiet reports whether the program reads again after its
// answer.
func TestConnQuiet(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		ln := listenConns(t, "tcp")
		ln.shared.Opaque = opaque
		server, client := ln.pair(t)
		c := ln.all()[0]
		check := func(when string, want bool) {
			t.Helper()
			if c.Quiet() != want {
				t.Errorf("opaque=%v: quiet = %v %s", opaque, !want, when)
			}
		}
		check("after Accept", true)
		read := make(chan error)
		asks := make(chan bool)
		go func() {
			for range asks {
				_, err := server.Read(make([]byte, 99))
				read <- err
			}
		}()
		asks <- true
		for range 2 {
			eventually(t, "a silent conn is quiet", c.Quiet)
			io.WriteString(client, "what?\n")
			if err := <-read; err != nil {
				t.Fatal(err)
			}
			check("with a question unanswered", false)
			asks <- true
			eventually(t, "it asks", func() bool { return !c.http.State().Busy })
			check("with a question unanswered, reading another", false)
			io.WriteString(server, "that\n")
			check("writing, as far as one can see", false)
			io.WriteString(client, "and?\n")
			<-read
			io.WriteString(server, "this\n")
			asks <- true
		}
		eventually(t, "it is quiet", c.Quiet)
		close(asks)
		client.Close()
		<-read
	}
}

// The program's deadlines work in a drain too.
func TestConnDeadlines(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	buf := make([]byte, 4096)
	io.WriteString(client, getRequest)
	server.Read(buf)
	io.WriteString(server, plainAnswer)
	ln.drain()
	for range 3 {
		server.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, err := server.Read(buf)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("Read: %v", err)
		}
		ln.tick(1 << 30)
	}
	server.SetReadDeadline(time.Time{})
	io.WriteString(client, getRequest)
	if n, err := server.Read(buf); n != len(getRequest) || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
}

// endingConn counts how often its reading side is shut down.
type endingConn struct {
	net.Conn
	ended int
}

func (e *endingConn) Read(p []byte) (int, error) { return 0, nil }

func (e *endingConn) Write(p []byte) (int, error) { return len(p), nil }

func (e *endingConn) CloseRead() error { e.ended++; return nil }

// Ticks are counted only while the connection is at rest, the program reads, and nothing
// happens.
func TestConnIdleTicks(t *testing.T) {
	e := new(endingConn)
	c := new(conn)
	c.init(e, newShared(), true)
	ticks := func(when string, n, ended int) {
		t.Helper()
		for range n {
			(*Tracked)(c).Tick(1, 3)
		}
		if e.ended != ended {
			t.Fatalf("%s: ended %d times, want %d", when, e.ended, ended)
		}
	}
	c.Read(make([]byte, 99))
	ticks("before anything", 9, 0)
	for range 3 {
		c.http.OnRead([]byte(getRequest), c.shared.Draining.Load())
		ticks("with a request unanswered", 9, 0)
		io.WriteString(c, plainAnswer)
		ticks("before it asks again", 9, 0)
		c.Read(make([]byte, 1))
		ticks("while it looks out", 9, 0)
		c.Read(make([]byte, 99))
		ticks("after too few ticks", 2, 0)
		c.http.OnRead([]byte(getRequest), c.shared.Draining.Load()) // between two ticks
		io.WriteString(c, plainAnswer)
		c.Read(make([]byte, 99))
		ticks("after something has happened", 3, 0)
	}
	ticks("at the limit", 1, 1)
}

// A connection isn't idle while input waits that the program is about to read.
func TestConnIdleWithInput(t *testing.T) {
	ln := listenConns(t, "tcp")
	server, client := ln.pair(t)
	c := tracked(server)
	buf := make([]byte, 99)
	io.WriteString(client, getRequest)
	server.Read(buf)
	io.WriteString(server, plainAnswer)
	c.http.OnReadStart() // as if Read had begun, and not come as far as the kernel
	io.WriteString(client, "POST / HT")
	eventually(t, "the input waits", c.socket.InputWaiting)
	for range 9 {
		ln.tick(1)
	}
	server.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	if n, err := server.Read(buf); n != 9 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if n, err := server.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read = %d, %v in the middle of a request", n, err)
	}
}

// An idle connection of Multipath TCP is ended as one of TCP is.
func TestConnIdleMultipath(t *testing.T) {
	ln := serveConns(t, "tcp", hello)
	var d net.Dialer
	d.SetMultipathTCP(true)
	raw, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Skip(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(10 * time.Second))
	if multi, _ := raw.(*net.TCPConn).MultipathTCP(); !multi {
		t.Skip("no Multipath TCP here")
	}
	io.WriteString(raw, getRequest)
	eventually(t, "the answer is read", func() bool {
		n, _ := raw.Read(make([]byte, 4096))
		return n > 0
	})
	ln.drain()
	eventually(t, "it is ended", func() bool { ln.tick(1); return ln.live.Load() == 0 })
}

// A connection isn't idle while a handler runs, nor while a request comes in pieces.
func TestConnLongHandler(t *testing.T) {
	begun, end := make(chan bool), make(chan bool)
	ln := serveConns(t, "tcp", func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-end
		if r.Context().Err() != nil {
			t.Error("the request was cancelled")
		}
		hello(w, r)
	})
	c := dialConn(t, ln.Addr())
	for _, draining := range []bool{false, true} {
		ln.shared.Draining.Store(draining)
		for _, part := range []string{"GET ", "/ HTTP/1.1\r\nHo", "st: h\r\n\r\n"} {
			c.send(part)
			eventually(t, "the part is read", func() bool { return len(ln.all()) > 0 && !ln.all()[0].http.State().Rest })
			for range 5 {
				ln.tick(1)
			}
		}
		<-begun
		for range 5 {
			ln.tick(1)
		}
		end <- true
		if head, body := c.answer("GET"); body != "hello" || announced(head) != draining {
			t.Fatalf("draining=%v: %s%q", draining, head, body)
		}
	}
	c.end()
}

// A connection at rest ends at the limit-th tick, not before. One that never had an answer
// doesn't end.
func TestConnIdle(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			ln := serveConns(t, network, hello)
			silent := dialConn(t, ln.Addr())
			c := dialConn(t, ln.Addr())
			for range 3 {
				c.send(getRequest)
				c.answer("GET")
			}
			eventually(t, "the last answer is recorded", func() bool {
				all := ln.all()
				return len(all) == 2 && all[0].http.State().Phase == "asking" && all[1].http.State().Phase == "asking"
			})
			ln.drain()
			eventually(t, "both are quiet", func() bool {
				all := ln.all()
				return len(all) == 2 && all[0].Quiet() && all[1].Quiet() && all[1].http.State().Rest
			})
			for range 4 {
				ln.tick(5)
			}
			c.mustStay()
			ln.tick(5)
			c.end()
			eventually(t, "the idle one is counted out", func() bool { return ln.live.Load() == 1 })
			for range 20 {
				ln.tick(5)
			}
			silent.send(getRequest)
			if head, _ := silent.answer("GET"); !announced(head) {
				t.Errorf("not announced: %s", head)
			}
			silent.end()
		})
	}
}
