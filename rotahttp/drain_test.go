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

// A connection that is idle when the worker leaves is told with its next answer.
func TestIdleConnIsToldByItsNextAnswer(t *testing.T) {
	s := start(t, &http.Server{Handler: echoHandler}, newWorker(stuck))
	c := dial(t, s.addr)
	c.get("/", false)
	s.leave()
	s.mustServe()
	c.get("/", true)
	c.mustEnd(soon)
	s.mustReturn(nil, soon)
}

// One that stays idle ends after IdleGrace, and so does one that has never spoken.
func TestIdleConnEnds(t *testing.T) {
	const grace = 500 * time.Millisecond
	s := start(t, &http.Server{Handler: echoHandler}, newWorker(grace))
	idle, silent := dial(t, s.addr), dial(t, s.addr)
	idle.get("/", false)
	begin := time.Now()
	s.leave()
	idle.mustEnd(grace + time.Second)
	silent.mustEnd(grace + time.Second)
	if d := time.Since(begin); d < grace-2*idleCheckInterval {
		t.Errorf("ended after %v, want %v", d, grace)
	}
	s.mustReturn(nil, soon)
}

// A handler at work keeps its connection, however long that takes.
func TestLongHandler(t *testing.T) {
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
	s.leave()
	s.mustServe()
	close(release)
	if _, body := c.answer("POST"); body != "you sent hi" {
		t.Errorf("answer %q", body)
	}
	c.mustEnd(soon)
	s.mustReturn(nil, soon)
}

// A request that came in pieces before and in the drain is answered: chunks, and a
// body that waits for 100 Continue.
func TestUploadAcrossTheDrain(t *testing.T) {
	for _, tc := range []struct{ name, head, before, after string }{
		{"chunked", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n", "4\r\n you\r\n0\r\n\r\n"},
		{"expect", "Expect: 100-continue\r\nContent-Length: 6\r\n", "", "hi you"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var active atomic.Int32
			srv := &http.Server{Handler: echoHandler, ConnState: countActive(&active)}
			s := start(t, srv, newWorker(2*idleCheckInterval)) // no measure for who is at work
			c := dial(t, s.addr)
			c.send("POST / HTTP/1.1\r\nHost: test\r\n%s\r\n%s", tc.head, tc.before)
			waitFor(t, "the handler", func() bool { return active.Load() > 0 })
			s.leave()
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

// The functions of RegisterOnShutdown run once, when no request can be dropped any more.
func TestRegisterOnShutdown(t *testing.T) {
	var runs atomic.Int32
	srv := &http.Server{Handler: echoHandler}
	srv.RegisterOnShutdown(func() { runs.Add(1) })
	s := start(t, srv, newWorker(stuck))
	c := dial(t, s.addr)
	c.get("/", false)
	s.leave()
	s.mustServe()
	if n := runs.Load(); n != 0 {
		t.Errorf("ran %d times while a request might come", n)
	}
	c.get("/", true)
	s.mustReturn(nil, soon)
	waitFor(t, "the function of RegisterOnShutdown", func() bool { return runs.Load() > 0 })
	if n := runs.Load(); n != 1 {
		t.Errorf("ran %d times, want once", n)
	}
}

// They run before the grace ends even if a connection stays.
func TestRegisterOnShutdownAtTheEndOfTheGrace(t *testing.T) {
	worker := newWorker(stuck)
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
	worker.leave()
	await(t, "the function of RegisterOnShutdown", ran)
	select {
	case <-worker.done:
		t.Error("it ran after the grace")
	default:
	}
	s.mustReturn(nil, stuck)
}

// The program's own Shutdown and Close work as ever.
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
			s := start(t, srv, newWorker(stuck))
			c := dial(t, s.addr)
			c.get("/", false)
			if err := tc.stop(srv); err != nil {
				t.Error(err)
			}
			s.mustReturn(http.ErrServerClosed, stuck)
			if _, err := io.ReadAll(c); err != nil {
				t.Error(err)
			}
			s.leave()
			await(t, "the worker to have left", s.worker.done)
			if n := runs.Load(); n > 1 {
				t.Errorf("RegisterOnShutdown's function ran %d times", n)
			}
		})
	}
}
