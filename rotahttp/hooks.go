package rotahttp

import (
	"context"
	"net"
	"net/http"
)

// onBaseContext is the http.Server's BaseContext. It passes the program its own listener.
func (s *server) onBaseContext(ln net.Listener) context.Context {
	if l, ok := ln.(*listener); ok {
		ln = l.Listener
	}
	return s.baseContext(ln)
}

// onConnState is the http.Server's ConnState. It passes the program the conn that it has
// accepted.
func (s *server) onConnState(c net.Conn, state http.ConnState) {
	if h, ok := c.(interface{ accepted() net.Conn }); ok {
		c = h.accepted() // HTTP/2
	} else {
		s.http1.setState(c, state)
	}
	if s.connState != nil {
		s.connState(c, state)
	}
}

// connSaysClose is the context key of connections that add "Connection: close" to the
// response themselves.
type connSaysClose struct{}

// onConnContext is the http.Server's ConnContext.
func (s *server) onConnContext(ctx context.Context, c net.Conn) context.Context {
	if s.connContext != nil {
		ctx = s.connContext(ctx, c)
	}
	if c, ok := c.(interface{ SaysClose() bool }); ok && ctx != nil && c.SaysClose() {
		ctx = context.WithValue(ctx, connSaysClose{}, connSaysClose{})
	}
	return ctx
}

// handler is the http.Server's Handler.
type handler struct {
	*server
	program http.Handler // what the program has set; nil means http.DefaultServeMux
}

// ServeHTTP adds "Connection: close" to the responses that need it, during the drain and at
// a limited rate, calls the program's handler, and counts the request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() && needsCloseHeader(r) && h.limiter.Allow() {
		w.Header().Set("Connection", "close")
	}
	w, a := watched(w, r)
	defer h.count(a, h.began(a))
	if mayBecomeHTTP2(r) {
		w = h.hijackable(w, r)
	}
	if h.program == nil {
		http.DefaultServeMux.ServeHTTP(w, r)
	} else {
		h.program.ServeHTTP(w, r)
	}
	a.returned()
}

// needsCloseHeader reports whether the response to r needs "Connection: close" in order
// to close the connection after it. HTTP/2 has no such header (RFC 9113, section 8.2.2), a
// conn of rota adds it itself if it can, and CONNECT and Upgrade make the connection one of
// another protocol.
func needsCloseHeader(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.Method != http.MethodConnect && r.Header["Upgrade"] == nil &&
		r.Context().Value(connSaysClose{}) == nil
}
