package workerproc

import (
	"net"
	"testing"

	"github.com/rota-go/rota/internal/http1"
)

// What a conn is known to be in, after what the program has done with it: "?" begins a
// Read, "<" is something read, ">" something written.
func TestConnPhases(t *testing.T) {
	const (
		get  = "<GET / HTTP/1.1\r\n\r\n"
		head = "<HEAD / HTTP/1.1\r\n\r\n"
		post = "<POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"
		ok   = ">HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	)
	for _, tc := range []struct {
		name string
		ops  []string
		want phase
		dark bool
	}{
		{"new", nil, asking, false},
		{"a request", []string{"?", get}, inHand, false},
		{"a HEAD", []string{"?", head}, headHand, false},
		{"half a request", []string{"?", "<GET / HTTP/1.1\r\nHost: example"}, followed, false},
		{"two requests", []string{"?", get + get[1:]}, followed, false},
		{"more after one", []string{"?", get, get}, unclear, false},
		{"a Read before the answer", []string{"?", get, "?", get}, followed, false},
		{"a GET that a body follows", []string{"?", "<GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\n"}, followed, false},
		{"a method that may have a body", []string{"?", "<DELETE / HTTP/1.1\r\n\r\n"}, followed, false},
		{"looks out before the answer", []string{"?", get, "<H"}, early, false},
		{"and answers", []string{"?", get, "<H", ok}, peeked, false},
		{"and asks for the rest", []string{"?", get, "<H", ok, "?", "<" + head[2:]}, headHand, false},
		{"looks out before the answer to a HEAD", []string{"?", head, "<G"}, early, false},
		{"hints, looks out before the answer", []string{"?", get, "<G", ">HTTP/1.1 103 Early Hints\r\n\r\n", ok}, peeked, false},
		{"hints", []string{"?", get, ">HTTP/1.1 103 Early Hints\r\n\r\n"}, followed, false},
		{"a head that a body follows", []string{"?", post}, followed, false},
		{"next to nothing", []string{"?", "<GE"}, followed, false},
		{"a CONNECT", []string{"?", "<CONNECT a:1 HTTP/1.1\r\n\r\n"}, followed, false},
		{"an answer", []string{"?", get, ok}, answering, false},
		{"more of it", []string{"?", get, ok, ">more"}, answering, false},
		{"asks for more", []string{"?", get, ok, "?"}, asking, false},
		{"asks for a body", []string{"?", post, ">HTTP/1.1 100 Continue\r\n\r\n", "?"}, followed, false},
		{"looks out", []string{"?", get, ok, "<G"}, peeked, false},
		{"looked out", []string{"?", get, ok, "<G", "?"}, begun, false},
		{"the rest of it", []string{"?", get, ok, "<G", "?", "<" + get[2:]}, inHand, false},
		{"the rest of a HEAD", []string{"?", get, ok, "<H", "?", "<" + head[2:]}, headHand, false},
		{"the rest of a CONNECT", []string{"?", get, ok, "<C", "?", "<ONNECT a:1 HTTP/1.1\r\n\r\n"}, followed, false},
		{"read while it answers", []string{"?", get, ok, get}, behind, false},
		{"and asks for more", []string{"?", get, ok, get, "?"}, unclear, false},
		{"a head byte by byte", []string{"?", get, ">H"}, followed, false},
		{"an upgrade", []string{"?", get, ">HTTP/1.1 101 Switching Protocols\r\n\r\n"}, followed, true},
		{"an upgrade after half a request", []string{"?", "<GET / HTTP/1.1\r\nHost: example", ">HTTP/1.1 101 Switching Protocols\r\n\r\n"}, followed, true},
		{"another protocol", []string{"?", "<hello, are you there?", ">220 I am, and who are you?"}, followed, true},
		{"another protocol, which speaks first", []string{">220 I am, and who are you?"}, followed, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, client := lightConn(t)
			for _, op := range tc.ops {
				switch op[0] {
				case '?':
					c.asks()
				case '<':
					c.received([]byte(op[1:]))
				case '>':
					if _, err := c.Write([]byte(op[1:])); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := c.phase.Load(); got != tc.want || c.dark.Load() != tc.dark {
				t.Errorf("phase %d, dark %v, want %d, %v", got, c.dark.Load(), tc.want, tc.dark)
			}
			client.Close()
		})
	}
}

// lightConn is a conn whose client reads all and sends nothing.
func lightConn(t *testing.T) (*conn, net.Conn) {
	client, server := net.Pipe()
	go func() {
		for b := make([]byte, 1024); ; {
			if _, err := client.Read(b); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { server.Close() })
	c := new(conn)
	c.init(halfPipe{server}, newWatch(), false)
	return c, client
}

// Wherever a drain meets a conn, it is followed from the next moment at which that is
// possible, and its next answer from there is announced, once.
func TestConnFollowedFromEveryPhase(t *testing.T) {
	const (
		get = "GET / HTTP/1.1\r\n\r\n"
		ok  = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	)
	for name, before := range map[string]func(c *conn){
		"new":       func(*conn) {},
		"in hand":   func(c *conn) { c.received([]byte(get)) },
		"answering": func(c *conn) { c.received([]byte(get)); _, _ = c.Write([]byte(ok)) },
		"asking":    func(c *conn) { c.received([]byte(get)); _, _ = c.Write([]byte(ok)); c.asks() },
		"peeked":    func(c *conn) { c.received([]byte(get)); _, _ = c.Write([]byte(ok)); c.received([]byte("G")) },
		"unclear":   func(c *conn) { c.received([]byte(get)); c.received([]byte("x")) },
		"pipeline":  func(c *conn) { c.received([]byte(get + get)); _, _ = c.Write([]byte(ok)) },
	} {
		t.Run(name, func(t *testing.T) {
			c, client := lightConn(t)
			defer client.Close()
			before(c)
			c.w.draining.Store(true)
			announced := 0
			for range 3 {
				for _, part := range c.cut([]byte(ok)) {
					if string(part) == http1.Line {
						announced++
					}
				}
				c.asks()
				if c.over() {
					break
				}
				c.received([]byte(get))
			}
			if announced != 1 || !c.ended.Load() {
				t.Errorf("announced %d times, ended %v", announced, c.ended.Load())
			}
		})
	}
}
