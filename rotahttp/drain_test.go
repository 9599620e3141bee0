package rotahttp

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

var echoHandler = http.HandlerFunc(echo)

// The next response on a connection that was idle when the drain began has
// "Connection: close".
func TestNextResponseOnIdleConnSaysClose(t *testing.T) {
	s := start(t, &http.Server{Handler: echoHandler}, newWorker(timeout))
	c := dial(t, s.addr)
	c.get("/", false)
	s.beginDrain()
	s.mustServe()
	c.get("/", true)
	c.mustEnd(soon)
	s.mustReturn(nil, soon)
}

// A connection that stays idle is closed after IdleGrace, also one on which the client has
// never sent anything.
func TestIdleConnIsClosedAfterIdleGrace(t *testing.T) {
	t.Parallel()
	const grace = 500 * time.Millisecond
	s := start(t, &http.Server{Handler: echoHandler}, newWorker(grace))
	idle, silent := dial(t, s.addr), dial(t, s.addr)
	idle.get("/", false)
	begin := time.Now()
	s.beginDrain()
	idle.mustEnd(soon)
	silent.mustEnd(soon)
	if d := time.Since(begin); d < grace-2*idleCheckInterval {
		t.Errorf("the connections were closed after %v, want %v", d, grace)
	}
	s.mustReturn(nil, soon)
}

// A connection stays open while its handler runs, longer than IdleGrace.
func TestLongHandlerKeepsConn(t *testing.T) {
	t.Parallel()
	entered, release := make(chan bool), make(chan bool)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-release
		echo(w, r)
	})
	s := start(t, &http.Server{Handler: h}, newWorker(idleCheckInterval))
	c := dial(t, s.addr)
	c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi")
	await(t, "the handler", entered)
	s.beginDrain()
	s.mustServe()
	close(release)
	if _, body := c.answer("POST"); body != "you sent hi" {
		t.Errorf("answer %q", body)
	}
	c.mustEnd(soon)
	s.mustReturn(nil, soon)
}

// A request whose head arrives before the drain and whose body arrives during it is
// answered: a chunked body, and one that waits for 100 Continue.
func TestUploadAcrossTheDrain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, head, before, after string }{
		{"chunked", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n", "4\r\n you\r\n0\r\n\r\n"},
		{"expect", "Expect: 100-continue\r\nContent-Length: 6\r\n", "", "hi you"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var active atomic.Int32
			srv := &http.Server{Handler: echoHandler, ConnState: countActive(&active)}
			s := start(t, srv, newWorker(2*idleCheckInterval)) // shorter than the request takes
			c := dial(t, s.addr)
			c.send("POST / HTTP/1.1\r\nHost: test\r\n%s\r\n%s", tc.head, tc.before)
			waitFor(t, "the handler", func() bool { return active.Load() > 0 })
			s.beginDrain()
			s.mustServe()
			if tc.before == "" {
				if resp, err := http.ReadResponse(c.r, nil); err != nil || resp.StatusCode != http.StatusContinue {
					t.Fatalf("got %v, %v; want 100 Continue", resp, err)
				}
			}
			c.send("%s", tc.after)
			if _, body := c.answer("POST"); body != "you sent hi you" {
				t.Errorf("answer %q", body)
			}
			c.mustEnd(soon)
			s.mustReturn(nil, soon)
		})
	}
}

// The functions of RegisterOnShutdown are called once, when no HTTP/1 connection is open.
func TestRegisterOnShutdown(t *testing.T) {
	var runs atomic.Int32
	srv := &http.Server{Handler: echoHandler}
	srv.RegisterOnShutdown(func() { runs.Add(1) })
	s := start(t, srv, newWorker(timeout))
	c := dial(t, s.addr)
	c.get("/", false)
	s.beginDrain()
	s.mustServe()
	if n := runs.Load(); n != 0 {
		t.Errorf("called %d times while a connection was open", n)
	}
	c.get("/", true)
	s.mustReturn(nil, soon)
	waitFor(t, "the function of RegisterOnShutdown", func() bool { return runs.Load() > 0 })
	if n := runs.Load(); n != 1 {
		t.Errorf("called %d times, want 1", n)
	}
}

// The functions of RegisterOnShutdown are called before the grace ends even if a
// connection is open.
func TestRegisterOnShutdownBeforeGraceEnds(t *testing.T) {
	t.Parallel()
	worker := newWorker(timeout)
	worker.grace = time.Second
	ran := make(chan bool, 1)
	entered, release := make(chan bool), make(chan bool)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-release
	})}
	defer close(release)
	srv.RegisterOnShutdown(func() { ran <- true })
	s := start(t, srv, worker)
	dial(t, s.addr).send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	await(t, "the handler", entered)
	worker.beginDrain()
	await(t, "the function of RegisterOnShutdown", ran)
	select {
	case <-worker.done:
		t.Error("it was called after the grace")
	default:
	}
	s.mustReturn(nil, timeout)
}

// The program may call Shutdown and Close itself, before the drain.
func TestShutdownByTheProgram(t *testing.T) {
	for _, tc := range []struct {
		name string
		stop func(*http.Server) error
	}{
		{"Shutdown", func(srv *http.Server) error { return srv.Shutdown(context.Background()) }},
		{"Close", (*http.Server).Close},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var runs atomic.Int32
			srv := &http.Server{Handler: echoHandler}
			srv.RegisterOnShutdown(func() { runs.Add(1) })
			s := start(t, srv, newWorker(timeout))
			c := dial(t, s.addr)
			c.get("/", false)
			if err := tc.stop(srv); err != nil {
				t.Error(err)
			}
			s.mustReturn(http.ErrServerClosed, timeout)
			if _, err := io.ReadAll(c); err != nil {
				t.Error(err)
			}
			s.beginDrain()
			await(t, "the end of the worker's drain", s.worker.done)
			if n := runs.Load(); n > 1 {
				t.Errorf("the function of RegisterOnShutdown was called %d times, want 1 at most", n)
			}
		})
	}
}
