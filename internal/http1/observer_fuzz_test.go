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

// conversation is a server's connection, seen by an Observer that sniffs until
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

// FuzzObserver: whatever is read and written, in whatever pieces and order, and whenever
// the drain begins, sniffing until then gives the same output and the same end as following
// from the first byte. Nothing but Line is added, and keep-alive is replaced.
//
// Each byte of script is one call: a Read that begins, a Read that returns, or a Write, of a
// number of bytes (see piece).
func FuzzObserver(f *testing.F) {
	var requests, answers string
	for _, x := range exchanges {
		requests, answers = requests+x.request, answers+x.answer
	}
	for i := range byte(24) {
		f.Add([]byte(requests), []byte(answers), []byte{i, 0xfd, 0xfe, i, 0x01, 0xfd, 0xfe, 0xfe, 0, i << 2, i<<2 | 1, i<<2 | 2, 0xfd, 0xfe}, i)
	}
	f.Add([]byte(get+get), []byte(okAnswer+okAnswer), []byte{0, 0xfd, 0x7e, 0, 0xfd, 0xfe, 0xfe}, uint8(2))
	f.Fuzz(func(t *testing.T, requests, answers, script []byte, drain uint8) {
		c := &conversation{steps: int(drain)}
		for _, call := range script {
			c.call(call, &requests, &answers)
			if c.got.String() != c.want.String() {
				t.Fatalf("sent %q, a tracker from the first byte sends %q", c.got.String(), c.want.String())
			}
		}
		c.observer.follow()
		if got := c.observer.State(); got.Rest != c.tracker.Rest() || got.Over != c.tracker.Over() || got.Untracked != c.tracker.Untracked() {
			t.Errorf("%+v, but for a tracker from the first byte %s", got, after(&c.tracker))
		}
	})
}

// call makes one call, as FuzzObserver's script has it.
func (c *conversation) call(call byte, requests, answers *[]byte) {
	switch size := int(call >> 2); call & 3 {
	case 0, 3:
		c.observer.OnReadStart()
	case 1:
		if p := piece(requests, size, "\r\n\r\n", 4); p != "" {
			c.read(p)
		}
	case 2:
		if p := piece(answers, size, "HTTP/1.", 0); p != "" {
			c.write(p)
		}
	}
}

// piece cuts the next size+1 bytes off p, or, if size is 63, all up to the mark that comes
// next, and skip bytes of it.
func piece(p *[]byte, size int, mark string, skip int) string {
	n := min(size+1, len(*p))
	if size == 63 {
		n = len(*p)
		if at := strings.Index(string((*p)[min(1, n):]), mark); at >= 0 {
			n = min(1+at+skip, n)
		}
	}
	s := string((*p)[:n])
	*p = (*p)[n:]
	return s
}
