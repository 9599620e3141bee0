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

// unencryptedProto is the key of http.Server.TLSNextProto for the function that serves
// an HTTP/2 connection whose preface has been read. net/http uses it for h2c. The function
// takes any net.Conn, wrapped in a tls.Conn that encrypts nothing (see wrapUnencrypted).
const unencryptedProto = "unencrypted_http2"

// http2Conns are a server's HTTP/2 connections.
type http2Conns struct {
	mu       sync.Mutex
	all      map[*http2Conn]bool
	draining bool

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
	c.times.send(time.Now().Add(delay))
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

// goAwaysObeyed reports whether the second GOAWAY refuses no request of any client.
func (h *http2Conns) goAwaysObeyed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for c := range h.all {
		if !c.times.obeyed(now) {
			return false
		}
	}
	return true
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
