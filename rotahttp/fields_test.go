package rotahttp

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// countActive returns a ConnState function that counts requests in n.
func countActive(n *atomic.Int32) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateActive {
			n.Add(1)
		}
	}
}

// states records the calls of a program's ConnState.
type states struct {
	mu   sync.Mutex
	seen map[net.Conn][]http.ConnState
	gone chan bool
}

func (s *states) record(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[c] = append(s.seen[c], state)
	if state == http.StateClosed {
		s.gone <- true
	}
}

type fieldKey string

// seen is what the functions in the fields of an http.Server were called with.
type seen struct {
	states []http.ConnState // of conn
	base   net.Listener
	conn   net.Conn
	conns  int
}

// observe serves one request with an http.Server that has every field set, and returns
// what they were called with. serve starts the server; its result shuts the server down.
func observe(t *testing.T, secure bool, ln net.Listener, serve func(*http.Server, func(net.Listener) error) (close func())) seen {
	st := &states{seen: map[net.Conn][]http.ConnState{}, gone: make(chan bool, 4)}
	var v seen
	srv := &http.Server{Addr: "mine", ConnState: st.record}
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.base, _ = r.Context().Value(fieldKey("base")).(net.Listener)
		v.conn, _ = r.Context().Value(fieldKey("conn")).(net.Conn)
		if r.Context().Value(http.ServerContextKey) != srv {
			t.Error("http.ServerContextKey isn't the program's http.Server")
		}
		if secure != (r.TLS != nil && r.TLS.NegotiatedProtocol == "h2" && r.ProtoMajor == 2) {
			t.Errorf("protocol %s with TLS state %v", r.Proto, r.TLS)
		}
	})
	srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, fieldKey("conn"), c)
	}
	srv.BaseContext = func(l net.Listener) context.Context {
		return context.WithValue(context.Background(), fieldKey("base"), l)
	}
	run := srv.Serve
	if secure {
		srv.TLSConfig = serverTLS(t)
		run = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	close := serve(srv, run)
	get(t, ln.Addr().String(), secure)
	close()
	await(t, "StateClosed", st.gone)
	st.mu.Lock()
	defer st.mu.Unlock()
	v.states, v.conns = st.seen[v.conn], len(st.seen)
	return v
}

// The functions that a program sets in an http.Server are called as with net/http alone,
// with conns and listeners of the same types.
func TestServerFieldsAreCalledAsByNetHTTP(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		ln := mustListen(t)
		want := observe(t, secure, ln, func(srv *http.Server, run func(net.Listener) error) func() {
			go run(ln)
			return func() { _ = srv.Shutdown(t.Context()) }
		})
		ln = mustListen(t)
		got := observe(t, secure, ln, func(srv *http.Server, run func(net.Listener) error) func() {
			s := startOn(t, srv, newWorker(timeout), ln, run)
			return func() { s.beginDrain(); s.mustReturn(nil, timeout) }
		})
		if !slices.Equal(got.states, want.states) || got.conns != 1 {
			t.Errorf("TLS %v: ConnState got %v for %d conns, want %v for 1", secure, got.states, got.conns, want.states)
		}
		if g, w := fmt.Sprintf("%T %T", got.conn, got.base), fmt.Sprintf("%T %T", want.conn, want.base); g != w {
			t.Errorf("TLS %v: ConnContext and BaseContext got %s, want %s", secure, g, w)
		}
	}
}

// get makes one request with net/http's client. Over TLS it leaves the connection idle.
func get(t *testing.T, addr string, secure bool) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	url := "http://" + addr
	if secure {
		url = "https://" + addr
	}
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !secure {
		tr.CloseIdleConnections()
	}
}

// A request needs one allocation more than with net/http alone: the writer that notices the status. The client waits until the
// connection is idle before it sends the next request: otherwise net/http's background read
// sometimes gets the request, which saves an allocation.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("sync.Pool drops items at random under the race detector")
	}
	measure := func(serve func(net.Listener, *http.Server) string) float64 {
		idle := make(chan struct{}, 1)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})}
		srv.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				idle <- struct{}{}
			}
		}
		defer srv.Close()
		c := dial(t, serve(mustListen(t), srv))
		request, buf := []byte("GET / HTTP/1.1\r\nHost: test\r\n\r\n"), make([]byte, 4096)
		least := math.Inf(1) // other goroutines of this process allocate too
		for range 5 {
			least = min(least, testing.AllocsPerRun(1000, func() {
				if _, err := c.Write(request); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(buf); err != nil {
					t.Fatal(err)
				}
				<-idle
			}))
		}
		return least
	}
	plain := measure(func(ln net.Listener, srv *http.Server) string {
		go srv.Serve(ln)
		return ln.Addr().String()
	})
	ours := measure(func(ln net.Listener, srv *http.Server) string { return start(t, srv, newWorker(0)).addr })
	if ours > plain+1 {
		t.Errorf("%v allocations a request, want at most one more than the %v of net/http alone", ours, plain)
	}
}
