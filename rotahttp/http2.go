package rotahttp

import (
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/ratelimit"
)

// net/http shuts HTTP/2 down with one GOAWAY that names the last stream it has seen, so
// that a request on its way at that moment is refused. RFC 9113, section 6.8, recommends
// two: a first GOAWAY with last stream 2^31-1, and, when the client has had the time to
// stop opening streams, a second one with the real last stream. This package sends the
// first: an http2Conn writes it between two frames of the server. net/http sends the
// second, in Shutdown.

// goAwayTime is how long after the first GOAWAY the second may follow: the time that a
// client has to read the first. RFC 9113 asks for one round trip at least.
const goAwayTime = time.Second

// unencryptedProto is the key of http.Server.TLSNextProto for the function that serves
// an HTTP/2 connection whose preface has been read. net/http uses it for h2c. The function
// takes any net.Conn, wrapped in a tls.Conn that encrypts nothing (see wrapUnencrypted).
const unencryptedProto = "unencrypted_http2"

// http2Conns are a server's HTTP/2 connections.
type http2Conns struct {
	mu         sync.Mutex
	all        map[*http2Conn]bool
	draining   bool
	lastGoAway time.Time // the latest time that a GOAWAY is scheduled for

	changed chan<- struct{} // server.changed
}

// add adds c. A connection that is added during the drain gets its GOAWAY at once.
func (h *http2Conns) add(c *http2Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make(map[*http2Conn]bool)
	}
	h.all[c] = true
	if h.draining {
		h.scheduleGoAway(c, 0)
	}
}

// scheduleGoAway has c write its GOAWAY after delay. It is written on a goroutine of its
// own, because a client that doesn't read can block it; closing c ends that. h.mu is held.
func (h *http2Conns) scheduleGoAway(c *http2Conn, delay time.Duration) {
	if at := time.Now().Add(delay); at.After(h.lastGoAway) {
		h.lastGoAway = at
	}
	time.AfterFunc(delay, c.leave)
}

func (h *http2Conns) remove(c *http2Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, c)
	notify(h.changed)
}

// startGoAways begins the drain: every connection gets its first GOAWAY, at a limited
// rate, and so does every connection that is added later.
func (h *http2Conns) startGoAways() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
	var p ratelimit.Limiter
	p.Start(len(h.all), ratelimit.Period)
	i := 0
	for c := range h.all {
		h.scheduleGoAway(c, p.Delay(i))
		i++
	}
}

// none reports whether no connection is open.
func (h *http2Conns) none() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all) == 0
}

// goAwaysObeyed reports whether every client has had goAwayTime to read its first GOAWAY,
// so that the second one refuses no request.
func (h *http2Conns) goAwaysObeyed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all) == 0 || time.Since(h.lastGoAway) >= goAwayTime
}

// hookHTTP2 replaces the functions of TLSNextProto by ones that serve HTTP/2 on an
// http2Conn. If TLSNextProto has no function under unencryptedProto, because HTTP/2 is off or
// a future net/http keeps it elsewhere, nothing is replaced, and clients get the GOAWAY of
// Shutdown alone.
func (s *server) hookHTTP2() {
	s.mu.Lock()
	defer s.mu.Unlock()
	serve := s.http.TLSNextProto[unencryptedProto]
	if s.hasHTTP2 || serve == nil {
		return
	}
	s.hasHTTP2 = true
	protos := maps.Clone(s.http.TLSNextProto)
	protos[unencryptedProto] = func(hs *http.Server, c *tls.Conn, h http.Handler) {
		if u, ok := c.NetConn().(interface{ UnencryptedNetConn() net.Conn }); ok {
			s.serveHTTP2(hs, u.UnencryptedNetConn(), h, serve)
		}
	}
	if protos["h2"] != nil {
		protos["h2"] = func(hs *http.Server, c *tls.Conn, h http.Handler) { s.serveHTTP2(hs, c, h, serve) }
	}
	s.http.TLSNextProto = protos
}

// serveHTTP2 serves c, a cleartext conn whose preface has been read or a *tls.Conn at its
// preface, with net/http's function for h2c, serve. It returns when serve does, which
// closes c.
func (s *server) serveHTTP2(hs *http.Server, c net.Conn, h http.Handler, serve func(*http.Server, *tls.Conn, http.Handler)) {
	s.http1.remove(c)
	conn := &http2Conn{Conn: c}
	s.http2.add(conn)
	defer s.http2.remove(conn)
	if t, ok := c.(*tls.Conn); ok {
		conn.prefaceLeft = preface
		serve(hs, wrapUnencrypted(&http2TLSConn{conn, t}), h)
		return
	}
	serve(hs, wrapUnencrypted(conn), h)
}

// wrapUnencrypted wraps c as the function under unencryptedProto expects it.
func wrapUnencrypted(c net.Conn) *tls.Conn { return tls.Client(unencryptedConn{c}, nil) }

// unencryptedConn is the conn below wrapUnencrypted's tls.Conn, as in net/http.
type unencryptedConn struct{ net.Conn }

func (c unencryptedConn) UnencryptedNetConn() net.Conn { return c.Conn }
