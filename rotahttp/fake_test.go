package rotahttp

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// timeout is how long a test waits for an event before it fails.
	timeout = 20 * time.Second
	// soon is a limit for what must not wait for an IdleGrace or a grace of timeout.
	soon = timeout / 2
)

// TestMain lets eight tests wait at a time, unless the command line says otherwise.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8")
	os.Exit(m.Run())
}

// fakeWorker is a worker without a master. It drains when the test calls beginDrain.
type fakeWorker struct {
	disconnecting, done    chan struct{}
	idle, grace            time.Duration
	keys                   [][32]byte // of session tickets
	settled, holds, counts atomic.Bool
	requests, failed       atomic.Int64
	inFlight, status, took atomic.Int64 // the last two of the last request that has ended

	mu    sync.Mutex
	hooks []func(context.Context) error
}

func newWorker(idle time.Duration) *fakeWorker {
	return &fakeWorker{disconnecting: make(chan struct{}), done: make(chan struct{}), idle: idle, grace: timeout}
}

func (f *fakeWorker) Disconnecting() <-chan struct{}     { return f.disconnecting }
func (f *fakeWorker) Done() <-chan struct{}              { return f.done }
func (f *fakeWorker) IdleGrace() time.Duration           { return f.idle }
func (f *fakeWorker) Track(ln net.Listener) net.Listener { return ln }
func (f *fakeWorker) OnTicketKeys(g func([][32]byte)) {
	if f.keys != nil {
		g(f.keys)
	}
}
func (f *fakeWorker) Settled() bool   { return f.settled.Load() }
func (f *fakeWorker) HoldAccepts()    { f.holds.Store(true) }
func (f *fakeWorker) CountsRequests() { f.counts.Store(true) }
func (f *fakeWorker) BeginRequest()   { f.inFlight.Add(1) }
func (f *fakeWorker) EndRequest(status int, took time.Duration) {
	f.inFlight.Add(-1)
	f.status.Store(int64(status))
	f.took.Store(int64(took))
	if status == 0 || status >= 500 {
		f.failed.Add(1)
	}
	f.requests.Add(1)
}
func (f *fakeWorker) OnDisconnect(h func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks = append(f.hooks, h)
}

// beginDrain calls the functions of OnDisconnect. Done is closed when they have returned.
func (f *fakeWorker) beginDrain() {
	close(f.disconnecting)
	ctx, cancel := context.WithTimeout(context.Background(), f.grace)
	var group sync.WaitGroup
	f.mu.Lock()
	for _, h := range f.hooks {
		group.Go(func() { _ = h(ctx) })
	}
	f.mu.Unlock()
	go func() { group.Wait(); cancel(); close(f.done) }()
}

// service is an http.Server under test, served by serve.
type service struct {
	t      *testing.T
	addr   string
	srv    *http.Server
	worker *fakeWorker
	ended  chan error // the result of serve
}

// beginDrain makes the worker drain, and returns when the server has noticed.
func (s *service) beginDrain() {
	s.t.Helper()
	s.worker.beginDrain()
	waitFor(s.t, "the server to notice", s.srv.Handler.(*handler).draining.Load)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > timeout {
			t.Fatalf("waited %v for %s", timeout, what)
		}
	}
}

// start serves srv on a free port. At the end of the test the worker drains, and the
// test fails if that doesn't end.
func start(t *testing.T, srv *http.Server, worker *fakeWorker) *service {
	t.Helper()
	return startOn(t, srv, worker, mustListen(t), srv.Serve)
}

func startOn(t *testing.T, srv *http.Server, worker *fakeWorker, ln net.Listener, run func(net.Listener) error) *service {
	t.Helper()
	s := &service{t: t, addr: ln.Addr().String(), srv: srv, worker: worker, ended: make(chan error, 1)}
	go func() { s.ended <- serve(ln, srv, worker, run) }()
	t.Cleanup(func() {
		select {
		case <-worker.disconnecting:
		default:
			worker.beginDrain()
		}
		_ = srv.Close()
		await(t, "the end of the worker's drain", worker.done)
	})
	return s
}

func mustListen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// mustReturn checks that serve returns want within the given time.
func (s *service) mustReturn(want error, within time.Duration) {
	s.t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
		if err != want {
			s.t.Errorf("serve returned %v, want %v", err, want)
		}
	case <-time.After(within):
		s.t.Fatalf("serve has not returned after %v", within)
	}
}

// mustServe checks that serve doesn't return within three ticks of the idle check.
func (s *service) mustServe() {
	s.t.Helper()
	select {
	case err := <-s.ended:
		s.t.Fatalf("serve returned %v while connections were open", err)
	case <-time.After(3 * idleCheckInterval):
	}
}

func await[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(timeout):
		t.Fatalf("waited %v for %s", timeout, what)
	}
	return v
}

// client is one connection, on which a test writes requests and reads responses itself.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return over(t, c)
}

func over(t *testing.T, c net.Conn) *client {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(timeout))
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// answer reads one complete response.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("read head: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read body: %v", err)
	}
	return resp, string(body)
}

// get makes a request, and checks whether its response has "Connection: close".
func (c *client) get(path string, close bool) string {
	c.t.Helper()
	c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
	resp, body := c.answer("GET")
	if resp.StatusCode != http.StatusOK || resp.Close != close {
		c.t.Errorf("%s: status %s, close %v; want 200 and %v", path, resp.Status, resp.Close, close)
	}
	return body
}

// mustEnd checks that the server closes the connection within the given time.
func (c *client) mustEnd(within time.Duration) {
	c.t.Helper()
	begin := time.Now()
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 {
		c.t.Errorf("the connection was closed after %q with error %v; want nothing and io.EOF", b, err)
	}
	if d := time.Since(begin); d > within {
		c.t.Errorf("the connection was closed after %v, want %v at most", d, within)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(w, strings.NewReader("you sent "+string(b)))
}
