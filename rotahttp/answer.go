package rotahttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// answer is what a handler writes to, net/http's writer, and notices the status. It has the methods that net/http's
// writers have for HTTP/1 and HTTP/2, and those of http1Answer and http2Answer are the others: a handler
// finds what it looks for.
type answer struct {
	http.ResponseWriter
	status int // 0: none yet
}

type (
	http1Answer struct{ answer }
	http2Answer struct{ answer }
)

// watched returns the writer of a handler, and the answer that it writes. The answer is nil if that is watched
// already: a library may have put a handler around this package's, and this package another around that.
func watched(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *answer) {
	switch w.(type) {
	case *http1Answer, *http2Answer, *hijackWriter:
		return w, nil
	}
	if _, ok := w.(http.Pusher); ok && r.ProtoMajor == 2 {
		a := &http2Answer{answer{ResponseWriter: w}}
		return a, &a.answer
	}
	a := &http1Answer{answer{ResponseWriter: w}}
	return a, &a.answer
}

// begun is the base of times, which are read without the calendar: that is cheaper.
var begun = time.Now()

// began counts a request whose handler is about to be called, and returns when that was, from begun on.
func (s *server) began(a *answer) time.Duration {
	if a == nil {
		return 0
	}
	s.worker.BeginRequest()
	return time.Since(begun)
}

// count counts a request whose handler has returned or panicked, and which began returned at for.
func (s *server) count(a *answer, at time.Duration) {
	if a != nil {
		s.worker.EndRequest(a.status, time.Since(begun)-at)
	}
}

// returned says that the handler has returned: what it hasn't answered is answered with 200.
func (a *answer) returned() {
	if a != nil {
		a.begin(http.StatusOK)
	}
}

// begin notices the status of the answer, which begins. 1xx comes before it, but for 101.
func (a *answer) begin(status int) {
	if a.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		a.status = status
	}
}

func (a *answer) WriteHeader(status int) {
	a.begin(status)
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.begin(http.StatusOK)
	return a.ResponseWriter.Write(p)
}

func (a *answer) WriteString(text string) (int, error) {
	a.begin(http.StatusOK)
	return io.WriteString(a.ResponseWriter, text)
}

func (a *answer) Flush() { _ = a.FlushError() }

func (a *answer) FlushError() error {
	a.begin(http.StatusOK)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController, which finds the deadlines with it.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// CloseNotify is deprecated, and net/http's writers have it.
func (a *answer) CloseNotify() <-chan bool {
	if n, ok := a.ResponseWriter.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return make(chan bool)
}

// ReadFrom lets net/http use sendfile(2).
func (a *http1Answer) ReadFrom(r io.Reader) (int64, error) {
	a.begin(http.StatusOK)
	return io.Copy(a.ResponseWriter, r)
}

// Hijack gives the connection to the handler, and the request counts as answered.
func (a *http1Answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.begin(http.StatusSwitchingProtocols)
	}
	return c, rw, err
}

func (a *http2Answer) Push(target string, opts *http.PushOptions) error {
	p, ok := a.ResponseWriter.(http.Pusher)
	if !ok {
		return http.ErrNotSupported
	}
	return p.Push(target, opts)
}
