package http1

import (
	"strings"
	"testing"
)

// exchanges are requests with answers, from which FuzzObserver makes conversations.
var exchanges = []struct{ request, answer string }{
	{get, okAnswer},
	{head, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n"},
	{"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", okAnswer},
	{get, hints + okAnswer},
	{get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n"},
	{head, "HTTP/1.1 204 No Content\r\n\r\n"},
	{get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"},
	{"DELETE / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
}

// conversation is a net/http server's connection, seen by an Observer that sniffs until
// the drain, and by a Tracker that follows from the first byte.
type conversation struct {
	observer Observer
	tracker  Tracker
	steps    int // until the drain begins
	got      strings.Builder
	want     strings.Builder
}

// draining counts one step and reports whether the drain has begun.
func (c *conversation) draining() bool {
	c.steps--
	return c.steps < 0
}

func (c *conversation) read(s string) {
	c.observer.OnRead([]byte(s), c.draining())
	c.tracker.Request([]byte(s))
}

func (c *conversation) write(s string) {
	drain := c.draining()
	c.want.WriteString(send(&c.tracker, s, len(s), drain))
	if drain && !c.observer.Untracked() {
		c.got.WriteString(drained(&c.observer, s))
		return
	}
	c.observer.OnWrite([]byte(s))
	c.got.WriteString(s)
}

// FuzzObserver: sniffing until a drain gives the same output as following from the
// first byte, whenever the drain begins between two calls, if each status line is in
// one piece. Each exchange takes two bytes of script: which
// one, how large the pieces of the answer are, whether the request comes in pieces, and
// whether the first byte of the next request is read before or after the answer begins.
func FuzzObserver(f *testing.F) {
	for i := range byte(24) {
		f.Add([]byte{i, 0xff, i + 1, 0x1f, i + 2, 0x7f, i + 3, 0x3f}, i)
	}
	f.Fuzz(func(t *testing.T, script []byte, drain uint8) {
		c := &conversation{steps: int(drain)}
		for peeked := ""; len(script) >= 2; script = script[2:] {
			x := exchanges[int(script[0])%len(exchanges)]
			peeked = c.exchange(x.request[len(peeked):], x.answer, script[1], next(script[2:]))
			if c.got.String() != c.want.String() {
				t.Fatalf("sent %q, a tracker from the first byte sends %q", c.got.String(), c.want.String())
			}
		}
		if finished := c.steps < 0 && c.observer.Finished(new(noSocket)); finished && !c.tracker.Over() {
			t.Error("finished, but not for a tracker from the first byte")
		}
	})
}

// next returns the request of the next exchange, if there is one.
func next(script []byte) string {
	if len(script) < 2 {
		return ""
	}
	return exchanges[int(script[0])%len(exchanges)].request
}

// exchange reads the rest of a request and writes the answer. It returns what it has
// read of the next request.
func (c *conversation) exchange(rest, answer string, how byte, next string) (peeked string) {
	c.observer.OnReadStart()
	if how&0x80 == 0 && len(rest) > 9 {
		c.read(rest[:9])
		c.observer.OnReadStart()
		rest = rest[9:]
	}
	c.read(rest)
	peek := func(now bool) {
		if now && peeked == "" && next != "" {
			peeked = next[:1]
			c.read(peeked)
		}
	}
	peek(how&0x40 == 0)
	if after, ok := strings.CutPrefix(answer, hints); ok { // net/http writes it by itself
		c.write(hints)
		answer = after
	}
	for size := int(how&0x1f) + len("HTTP/1.1 304 Not Modified\r\n"); answer != ""; {
		n := min(size, len(answer))
		c.write(answer[:n])
		answer = answer[n:]
	}
	peek(how&0x20 == 0)
	return peeked
}
