package rotahttp

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"
)

// golang.org/x/net/http2/h2c, which many programs and frameworks use, is a handler: it
// hijacks the connection on which it finds the preface of HTTP/2, or an upgrade to it, and
// serves that. Nothing ends such a connection but its client. So the conn that it gets
// writes the first GOAWAY of the drain, and ends when no request has been open on it for a
// moment.

// idleChecks is how many checks in a row must find a hijacked connection idle: its client may
// still be reading the last answer.
const idleChecks = 3

// mayBecomeHTTP2 reports whether a handler may hijack r's connection for HTTP/2: with prior
// knowledge, where net/http passes the preface on as a request, or by an upgrade.
func mayBecomeHTTP2(r *http.Request) bool { return isPreface(r) || r.Header["Http2-Settings"] != nil }

func isPreface(r *http.Request) bool { return r.ProtoMajor == 2 && r.Method == "PRI" }

// hijackWriter is the ResponseWriter of a request for which mayBecomeHTTP2 is true.
type hijackWriter struct {
	http.ResponseWriter
	server  *server
	preface bool // what was asked is the preface, and not an upgrade
}

// hijackable returns w as a hijackWriter. A library may have put a handler around this
// package's, and this package another around that.
func (s *server) hijackable(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if _, ok := w.(*hijackWriter); ok {
		return w
	}
	return &hijackWriter{w, s, isPreface(r)}
}

// Unwrap is for http.ResponseController.
func (w *hijackWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush is that of net/http's writer.
func (w *hijackWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack returns a conn that takes part in the drain, and a reader of it. What the handler
// writes to the bufio.Writer, it writes before the first frame.
func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := rw.Peek(rw.Reader.Buffered())
	if err != nil {
		_ = c.Close()
		return nil, nil, err // a bufio.Reader has what it has buffered
	}
	conn := w.newConn(c, early)
	w.server.http2.add(conn.http2Conn)
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), rw.Writer), nil
}

// newConn returns the conn of a handler. early is what the client has sent and net/http read.
func (w *hijackWriter) newConn(c net.Conn, early []byte) *hijackedConn {
	missing := preface
	if w.preface {
		missing = preface[len("PRI * HTTP/2.0\r\n\r\n"):]
	}
	conn := &hijackedConn{
		server: w.server, early: append([]byte(nil), early...),
		streams: newStreamTracker(missing, !w.preface),
		closed:  make(chan struct{}),
	}
	conn.http2Conn = &http2Conn{Conn: c, ended: conn.endWhenIdle}
	return conn
}

// hijackedConn is an http2Conn that a handler owns.
type hijackedConn struct {
	*http2Conn
	server  *server
	early   []byte // what Read returns first; used by the reader alone
	streams *streamTracker
	closing sync.Once
	closed  chan struct{}
}

// Read reads what the client sends.
func (c *hijackedConn) Read(p []byte) (n int, err error) {
	if len(c.early) > 0 {
		n = copy(p, c.early)
		c.early = c.early[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	c.readFrames(c.streams.read(p[:n]))
	return n, err
}

// Write writes p, and a pending GOAWAY.
func (c *hijackedConn) Write(p []byte) (n int, err error) {
	n, err = c.http2Conn.Write(p)
	c.streams.wrote(p[:n])
	return n, err
}

// Close closes the connection.
func (c *hijackedConn) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		c.server.http2.remove(c.http2Conn)
	})
	return c.http2Conn.Close()
}

// endWhenIdle ends the connection when its client has had the time to act on the GOAWAY, and
// no request is open. It returns when the connection is closed.
func (c *hijackedConn) endWhenIdle() {
	ticker := time.NewTicker(idleCheckInterval)
	defer ticker.Stop()
	quiet, seen := 0, -1
	for {
		select {
		case <-c.closed:
			return
		case <-ticker.C:
		}
		idle, activity := c.streams.idle()
		if !idle || activity != seen {
			quiet = 0
		}
		quiet, seen = quiet+1, activity
		if idle && quiet >= idleChecks && c.times.obeyed(time.Now()) {
			stopReading(c.Conn)
		}
	}
}
