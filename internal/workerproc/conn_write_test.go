package workerproc

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// serveByHand answers each request, read with a buffer of its own, by this function.
func serveByHand(tb testing.TB, ln net.Listener, answer func(c net.Conn)) {
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					answer(c)
				}
			}()
		}
	}()
}

// Answers that a server writes in its own way: byte by byte, several at once, by
// ReadFrom from its first byte on.
func TestConnHandWrittenAnswers(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"byte by byte": func(c net.Conn) {
			for i := range len(plainAnswer) {
				io.WriteString(c, plainAnswer[i:i+1])
			}
		},
		"ReadFrom": func(c net.Conn) {
			c.(io.ReaderFrom).ReadFrom(io.LimitReader(strings.NewReader(plainAnswer+"more"), int64(len(plainAnswer))))
		},
		"ReadFrom, head and body": func(c net.Conn) {
			at := strings.Index(plainAnswer, "hi")
			c.(io.ReaderFrom).ReadFrom(onlyReader{strings.NewReader(plainAnswer[:at])})
			c.(io.ReaderFrom).ReadFrom(onlyReader{strings.NewReader(plainAnswer[at:])})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ln := listenConns(t, "tcp")
			serveByHand(t, ln, answer)
			c := dialConn(t, ln.Addr())
			c.send(getRequest)
			if got := c.full(len(plainAnswer)); got != plainAnswer {
				t.Fatalf("before the drain %q", got)
			}
			ln.drain()
			c.send(getRequest)
			if got := c.full(len(lastAnswer)); got != lastAnswer {
				t.Fatalf("in the drain %q", got)
			}
			c.end()
		})
	}
}

type onlyReader struct{ io.Reader }

// Two answers in one Write, both in the drain: the second announces.
func TestConnTwoAnswersInOneWrite(t *testing.T) {
	ln := listenConns(t, "tcp")
	ln.drain()
	server, client := ln.pair(t)
	io.WriteString(client, getRequest+getRequest)
	for got := 0; got < 2*len(getRequest); {
		n, err := server.Read(make([]byte, 4096))
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if n, err := io.WriteString(server, plainAnswer+plainAnswer); n != 2*len(plainAnswer) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if _, err := server.Read(make([]byte, 4096)); err != io.EOF {
		t.Errorf("Read: %v, want EOF", err)
	}
	server.Close()
	if got, _ := io.ReadAll(client); string(got) != plainAnswer+lastAnswer {
		t.Errorf("got %q", got)
	}
}

// dripConn takes so many bytes and then fails, once.
type dripConn struct {
	net.Conn
	room int
	got  strings.Builder
}

func (d *dripConn) Write(p []byte) (int, error) {
	if d.room < len(p) {
		n, _ := d.got.Write(p[:d.room])
		d.room = 1 << 30
		return n, os.ErrDeadlineExceeded
	}
	d.room -= len(p)
	return d.got.Write(p)
}

// A Write that is interrupted anywhere counts the program's bytes, and when the
// program goes on after them the line is either whole or not there.
func TestConnInterruptedWrite(t *testing.T) {
	for room := range len(lastAnswer) {
		d := &dripConn{room: room}
		c := new(conn)
		c.init(d, newWatch(), false)
		c.w.draining.Store(true)
		c.received([]byte(getRequest))
		n, err := c.Write([]byte(plainAnswer))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("room for %d: %v", room, err)
		}
		if k, err := c.Write([]byte(plainAnswer[n:])); err != nil || k != len(plainAnswer)-n {
			t.Fatalf("room for %d: then %d of %d, %v", room, k, len(plainAnswer)-n, err)
		}
		want := lastAnswer
		if room <= len("HTTP/1.1 200 OK\r\n") {
			want = plainAnswer
		}
		if d.got.String() != want {
			t.Errorf("room for %d: sent %q", room, d.got.String())
		}
	}
}

func TestConnInterruptedTwice(t *testing.T) {
	d := &dripConn{room: len("HTTP/1.1 200 OK\r\nConn")}
	c := new(conn)
	c.init(d, newWatch(), false)
	c.w.draining.Store(true)
	c.received([]byte(getRequest))
	n, _ := c.Write([]byte(plainAnswer))
	d.room = 0
	if k, err := c.Write([]byte(plainAnswer[n:])); k != 0 || err == nil {
		t.Fatalf("Write = %d, %v", k, err)
	}
	d.room = 2
	if k, err := c.Write([]byte(plainAnswer[n:])); k != 0 || err == nil {
		t.Fatalf("Write = %d, %v", k, err)
	}
	c.Write([]byte(plainAnswer[n:]))
	c.Write([]byte(plainAnswer))
	if got := d.got.String(); got != lastAnswer+plainAnswer || !c.dark.Load() {
		t.Errorf("sent %q", got)
	}
}

// After a Write that failed nothing is known any more.
func TestConnFailedWrite(t *testing.T) {
	for _, draining := range []bool{false, true} {
		d := &dripConn{room: len(plainAnswer) - 1}
		c := new(conn)
		c.init(d, newWatch(), false)
		c.received([]byte(getRequest))
		io.WriteString(c, plainAnswer[:len(plainAnswer)-2])
		c.w.draining.Store(draining)
		if n, err := io.WriteString(c, "hi"); n != 1 || err == nil || !c.dark.Load() {
			t.Errorf("draining=%v: Write = %d, %v", draining, n, err)
		}
	}
}
