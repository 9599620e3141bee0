package rotahttp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// heldListener is a listener of a worker: the drain closes it, and its Accept then blocks
// until the worker has left.
type heldListener struct {
	net.Listener
	worker *fakeWorker
}

func (l *heldListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		l.worker.settled.Store(true)
		<-l.worker.done
	}
	return c, err
}

// startPrepared prepares srv, sets its handler as a library does, and has run serve it.
func startPrepared(t *testing.T, srv *http.Server, worker *fakeWorker, h http.Handler, run func(net.Listener) error) *service {
	t.Helper()
	ln := mustListen(t)
	prepare(srv, worker)
	srv.Handler = h
	s := &service{t: t, addr: ln.Addr().String(), srv: srv, worker: worker, ended: make(chan error, 1)}
	go func() { s.ended <- run(&heldListener{ln, worker}) }()
	t.Cleanup(func() {
		ln.Close()
		select {
		case <-worker.disconnecting:
		default:
			worker.beginDrain()
		}
		_ = srv.Close()
		await(t, "the end of the worker's drain", worker.done)
	})
	go func() { <-worker.disconnecting; ln.Close() }()
	return s
}

// A server that another library serves drains HTTP/1.1 over TLS and in cleartext: the next answer
// says close, and Serve returns when the worker has left.
func TestPreparedHTTP1(t *testing.T) {
	srv := new(http.Server)
	var runs atomic.Int32
	srv.RegisterOnShutdown(func() { runs.Add(1) })
	s := startPrepared(t, srv, newWorker(timeout), echoHandler, srv.Serve)
	c := dial(t, s.addr)
	c.get("/", false)
	s.beginDrain()
	s.mustServe()
	if n := runs.Load(); n != 0 {
		t.Errorf("Shutdown was called %d times while a connection was open", n)
	}
	c.get("/", true)
	c.mustEnd(soon)
	s.mustReturn(http.ErrServerClosed, soon)
	waitFor(t, "the function of RegisterOnShutdown", func() bool { return runs.Load() > 0 })
	if n := runs.Load(); n != 1 || !s.worker.holds.Load() {
		t.Errorf("Shutdown was called %d times, and Accept held: %v", n, s.worker.holds.Load())
	}
}

// An HTTP/2 stream in flight finishes, after two GOAWAYs, and Serve doesn't return before.
func TestPreparedHTTP2(t *testing.T) {
	t.Parallel()
	release := make(chan bool)
	srv := h2cServer(nil)
	s := startPrepared(t, srv, newWorker(timeout), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "part\n")
		w.(http.Flusher).Flush()
		<-release
	}), srv.Serve)
	c, g := cleartext(t, s.addr)
	resp, err := c.Get("http://" + s.addr)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); line != "part\n" {
		t.Fatal(line, err)
	}
	s.beginDrain()
	waitFor(t, "two GOAWAYs", func() bool { return len(g.got()) == 2 })
	s.mustServe()
	close(release)
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Fatal(string(rest), err)
	}
	s.mustReturn(http.ErrServerClosed, soon)
	if got := g.got(); !slices.Equal(got, []uint32{1<<31 - 1, 1}) {
		t.Errorf("the GOAWAYs name streams %d, want 2^31-1 and 1", got)
	}
}

// Shutdown, which drops a request that it meets, waits for a connection that was accepted and
// is not known yet.
func TestPreparedShutdownWaitsForServe(t *testing.T) {
	srv := new(http.Server)
	ran := make(chan bool)
	srv.RegisterOnShutdown(func() { close(ran) })
	worker := newWorker(timeout)
	gate := make(chan bool)
	s := startPrepared(t, srv, worker, echoHandler, func(ln net.Listener) error { return srv.Serve(&gatedListener{ln, gate}) })
	c := dial(t, s.addr)
	c.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	await(t, "the connection to be accepted", gate)
	worker.beginDrain()
	select {
	case <-ran:
		t.Fatal("Shutdown was called between Accept and ConnState")
	case <-time.After(3 * idleCheckInterval):
	}
	gate <- true
	if resp, _ := c.answer("GET"); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	c.mustEnd(soon)
	await(t, "Shutdown", ran)
}

// gatedListener sends to gate when it has accepted a connection, and receives before it
// returns it.
type gatedListener struct {
	net.Listener
	gate chan bool
}

func (l *gatedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.gate <- true
		<-l.gate
	}
	return c, err
}

// Several Serves of one server, whose Handler the library replaces before each, are one
// drain: a client gets one GOAWAY of this package.
func TestPreparedTwice(t *testing.T) {
	t.Parallel()
	srv, worker := h2cServer(nil), newWorker(timeout)
	s := startPrepared(t, srv, worker, echoHandler, srv.Serve)
	c1, g := cleartext(t, s.addr)
	get := func(c *http.Client, addr string) {
		t.Helper()
		resp, err := c.Get("http://" + addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	get(c1, s.addr)
	first := srv.Handler.(*handler)
	srv.Handler = http.HandlerFunc(first.ServeHTTP) // a library's, around it
	ln := mustListen(t)
	second := make(chan error, 1)
	go func() { second <- srv.Serve(&heldListener{ln, worker}) }()
	c2, g2 := cleartext(t, ln.Addr().String())
	get(c2, ln.Addr().String())
	if h, ok := srv.Handler.(*handler); !ok || h.server != first.server {
		t.Fatal("the second Serve has a drain of its own")
	}
	go func() { <-worker.disconnecting; ln.Close() }()
	s.beginDrain()
	for _, g := range []*goAways{g, g2} {
		waitFor(t, "the GOAWAYs", func() bool { return slices.Contains(g.got(), 1) })
		if got := g.got(); !slices.Equal(got, []uint32{1<<31 - 1, 1}) {
			t.Errorf("the GOAWAYs name streams %d, want 2^31-1 and 1", got)
		}
	}
	s.mustReturn(http.ErrServerClosed, soon)
	if err := await(t, "the second Serve", second); !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// BaseContext of the program is called with its listener, as without Prepare.
func TestPreparedBaseContext(t *testing.T) {
	type key struct{}
	srv := new(http.Server)
	var got net.Listener
	srv.BaseContext = func(ln net.Listener) context.Context {
		got = ln
		return context.WithValue(context.Background(), key{}, "value")
	}
	s := startPrepared(t, srv, newWorker(timeout), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := r.Context().Value(key{}).(string)
		io.WriteString(w, v)
	}), srv.Serve)
	if body := dial(t, s.addr).get("/", false); body != "value" {
		t.Errorf("the context has %q", body)
	}
	if _, ok := got.(*heldListener); !ok {
		t.Errorf("BaseContext got %T", got)
	}
}

// A handler that hijacks a connection for HTTP/2 gets a conn on which the GOAWAY is sent. On
// one that it uses for anything else, no byte is changed.
func TestHijackedHTTP2(t *testing.T) {
	for name, first := range map[string][]byte{"HTTP/2": settings, "another protocol": []byte("220 ready\r\n")} {
		t.Run(name, func(t *testing.T) {
			var once sync.Once
			hijacked, leave := make(chan bool), make(chan bool)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = c.Write(first)
				once.Do(func() { close(hijacked) })
				<-leave
				c.Close()
			})
			s := start(t, &http.Server{Handler: h}, newWorker(timeout))
			c := dial(t, s.addr)
			c.send("PRI * HTTP/2.0\r\n\r\n")
			await(t, "the handler", hijacked)
			s.beginDrain()
			if name == "HTTP/2" {
				c.awaitFrame(4, 0)
				c.awaitFrame(7, 0)
				c.awaitFrame(framePing, 0)
				close(leave)
				c.mustEnd(soon)
			} else {
				s.mustServe()
				close(leave)
				if b, err := io.ReadAll(c.r); string(b) != string(first) || err != nil {
					t.Errorf("read %q, %v", b, err)
				}
			}
			s.mustReturn(nil, soon)
		})
	}
}

// A connection that a handler has hijacked for HTTP/2 ends when no request is open on it, and
// not before: nobody else would end it if its client does nothing.
func TestHijackedHTTP2EndsWhenIdle(t *testing.T) {
	t.Parallel()
	headers := frame(frameHeaders, flagEndHeaders|flagEndStream, 4)
	release, served := make(chan bool), make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		asked := make([]byte, len("SM\r\n\r\n")+len(settings)+len(headers))
		if _, err := io.ReadFull(rw, asked); err != nil {
			t.Error(err)
		}
		_, _ = c.Write(settings)
		<-release
		_, _ = c.Write(headers)
		_, err = rw.ReadByte()
		served <- err
	})
	s := start(t, &http.Server{Handler: h}, newWorker(timeout))
	c := dial(t, s.addr)
	c.send("%s%s%s", preface, settings, headers)
	c.awaitFrame(4, 0)
	s.beginDrain()
	c.awaitFrame(7, 0)
	time.Sleep(goAwayTime + 2*idleChecks*idleCheckInterval) // longer than an idle one would stay
	close(release)
	c.awaitFrame(frameHeaders, 1)
	if err := await(t, "the end", served); err != io.EOF {
		t.Errorf("the handler read %v, want EOF", err)
	}
	c.mustEnd(soon)
	s.mustReturn(nil, soon)
}
