package rotahttp

import (
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/ratelimit"
)

// net/http's own shutdown of HTTP/2 is one GOAWAY that names the last stream it has
// seen: a request that is on its way just then gets no answer. The protocol asks
// for two (RFC 9113, section 6.8), so the first comes from here: an http2Conn writes
// it between two frames of the server.

// goAwayTime is how long a client may take to learn that it is to open no more
// streams, before net/http's GOAWAY refuses them.
const goAwayTime = time.Second

// unencrypted is where net/http and x/net/http2 keep the server of a conn of which
// the preface has been read. The conn comes in a tls.Conn that encrypts nothing.
const unencrypted = "unencrypted_http2"

// preface is what a client begins with.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// http2Conns are a server's connections of HTTP/2.
type http2Conns struct {
	mu      sync.Mutex
	all     map[*http2Conn]bool
	leaving bool
	last    time.Time // when a GOAWAY was last begun, or will be

	changed chan<- struct{} // as that of conns
}

func (h *http2Conns) add(c *http2Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make(map[*http2Conn]bool)
	}
	h.all[c] = true
	if h.leaving {
		h.goAway(c, 0)
	}
}

// goAway has c write its GOAWAY in a moment. h.mu is held.
func (h *http2Conns) goAway(c *http2Conn, in time.Duration) {
	if at := time.Now().Add(in); at.After(h.last) {
		h.last = at
	}
	time.AfterFunc(in, c.goAway) // may wait for a client that doesn't read
}

func (h *http2Conns) remove(c *http2Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, c)
	poke(h.changed)
}

// leave tells every client, also those to come, to open no more streams, at a limited
// rate.
func (h *http2Conns) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaving = true
	var limiter ratelimit.Limiter
	limiter.Start(len(h.all), ratelimit.Period)
	i := 0
	for c := range h.all {
		h.goAway(c, limiter.Delay(i))
		i++
	}
}

// told reports whether all clients must know by now.
func (h *http2Conns) told() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all) == 0 || time.Since(h.last) >= goAwayTime
}

// hookHTTP2 puts an http2Conn around every connection of HTTP/2. Where net/http has
// none, or keeps it somewhere else, nothing is done, and Shutdown's GOAWAY remains.
func (s *server) hookHTTP2() {
	s.mu.Lock()
	defer s.mu.Unlock()
	serve := s.http.TLSNextProto[unencrypted]
	if s.hasHTTP2 || serve == nil {
		return
	}
	s.hasHTTP2 = true
	protos := maps.Clone(s.http.TLSNextProto)
	protos[unencrypted] = func(hs *http.Server, c *tls.Conn, h http.Handler) {
		if u, ok := c.NetConn().(interface{ UnencryptedNetConn() net.Conn }); ok {
			s.serveHTTP2(hs, u.UnencryptedNetConn(), h, serve)
		}
	}
	if protos["h2"] != nil {
		protos["h2"] = func(hs *http.Server, c *tls.Conn, h http.Handler) { s.serveHTTP2(hs, c, h, serve) }
	}
	s.http.TLSNextProto = protos
}

// serveHTTP2 serves c by what net/http serves h2c with, which takes any conn.
func (s *server) serveHTTP2(hs *http.Server, c net.Conn, h http.Handler, serve func(*http.Server, *tls.Conn, http.Handler)) {
	s.conns.forget(c)
	conn := &http2Conn{Conn: c}
	s.http2.add(conn)
	defer s.http2.remove(conn)
	if t, ok := c.(*tls.Conn); ok {
		conn.preface = preface
		serve(hs, handOver(&http2TLSConn{conn, t}), h)
		return
	}
	serve(hs, handOver(conn), h)
}

// handOver packs a conn as net/http expects it.
func handOver(c net.Conn) *tls.Conn { return tls.Client(parcel{c}, nil) }

type parcel struct{ net.Conn }

func (p parcel) UnencryptedNetConn() net.Conn { return p.Conn }

// http2Conn can write a GOAWAY of its own between the server's frames.
type http2Conn struct {
	net.Conn
	preface string // what of it has to be read first; the reader's

	mu      sync.Mutex // held by who writes
	written frames
	going   goingAway
}

type goingAway int

const (
	goingNot  goingAway = iota
	goingSoon           // at the next boundary
	gone
)

// http2TLSConn is one of which the server wants to know about TLS.
type http2TLSConn struct {
	*http2Conn
	tls *tls.Conn
}

func (c *http2TLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// served is the conn that the program knows.
func (c *http2Conn) served() net.Conn { return c.Conn }

// Read reads what follows the preface.
func (c *http2Conn) Read(p []byte) (int, error) {
	for c.preface != "" {
		var b [len(preface)]byte
		n, err := c.Conn.Read(b[:len(c.preface)])
		if string(b[:n]) != c.preface[:n] {
			return 0, errPreface
		}
		c.preface = c.preface[n:]
		if err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

var errPreface = errors.New("not HTTP/2: bogus greeting")

// goAway writes the GOAWAY now, or has Write do it.
func (c *http2Conn) goAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.going = goingSoon
	_ = c.goIfBetween() // the server will meet the error itself
}

// goIfBetween writes the GOAWAY if it is due and may be written here. mu is held.
func (c *http2Conn) goIfBetween() error {
	if c.going != goingSoon || !c.written.between() {
		return nil
	}
	c.going = gone
	_, err := c.Conn.Write(goAwayFrame)
	return err
}

// Write writes p, and a GOAWAY that is due at the first place where it may stand.
func (c *http2Conn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n < len(p) && err == nil {
		part := p[n:]
		if c.going == goingSoon {
			part = part[:c.written.next(part)]
		} else {
			c.written.skip(part)
		}
		var k int
		k, err = c.Conn.Write(part)
		n += k
		if err == nil {
			err = c.goIfBetween()
		}
	}
	return n, err
}
