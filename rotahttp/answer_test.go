package rotahttp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answers are handlers, and whether the request counts as failed.
var answers = map[string]struct {
	serve  http.HandlerFunc
	failed bool
}{
	"/nothing":        {func(w http.ResponseWriter, r *http.Request) {}, false},
	"/text":           {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "text") }, false},
	"/404":            {http.NotFound, false},
	"/500":            {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 500) }, true},
	"/503":            {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503); w.WriteHeader(200) }, true},
	"/text then 500":  {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "text"); w.WriteHeader(500) }, false},
	"/flush then 500": {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, false},
	"/copy then 500": {func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, strings.NewReader("text"))
		w.WriteHeader(500)
	}, false},
	"/early then 500":  {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, true},
	"/panic":           {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, true},
	"/text then panic": {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "text"); panic(http.ErrAbortHandler) }, false},
}

func serveAnswers(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path].serve(w, r) }

// Every request is counted once, and those that have failed, over HTTP/1 and HTTP/2.
func TestRequestsAreCounted(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		worker := newWorker(0)
		srv := &http.Server{Handler: http.HandlerFunc(serveAnswers), TLSConfig: serverTLS(t), ErrorLog: log.New(io.Discard, "", 0)}
		s := startOn(t, srv, worker, mustListen(t), func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") })
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: protocol == "HTTP/2.0",
		}}
		defer client.CloseIdleConnections()
		for path, want := range answers {
			before, failed := worker.requests.Load(), worker.failed.Load()
			resp, err := client.Post("https://"+s.addr+strings.ReplaceAll(path, " ", "%20"), "", nil) // which a client doesn't repeat
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.Proto != protocol {
					t.Fatalf("%s, want %s", resp.Proto, protocol)
				}
			}
			waitFor(t, path+" to be counted", func() bool { return worker.requests.Load() > before })
			if n := worker.requests.Load() - before; n != 1 || (worker.failed.Load() > failed) != want.failed {
				t.Errorf("%s %s: counted %d times, failed: %v, want %v", protocol, path, n, worker.failed.Load() > failed, want.failed)
			}
		}
	}
}

// A handler finds all that net/http's writers have, and not what they haven't.
func TestWritersHaveAllMethods(t *testing.T) {
	srv := &http.Server{TLSConfig: serverTLS(t), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, flushes := w.(http.Flusher)
		_, closes := w.(interface{ CloseNotify() <-chan bool })
		_, text := w.(io.StringWriter)
		_, hijacks := w.(http.Hijacker)
		_, reads := w.(io.ReaderFrom)
		_, pushes := w.(http.Pusher)
		rc := http.NewResponseController(w)
		deadlines := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), rc.EnableFullDuplex())
		fmt.Fprint(w, flushes, closes, text, hijacks, reads, pushes, deadlines)
	})}
	s := startOn(t, srv, newWorker(0), mustListen(t), func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") })
	for http2, want := range map[bool]string{false: "true true true true true false <nil>", true: "true true true false false true <nil>"} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + s.addr)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != want {
			t.Errorf("HTTP/2 %v: %s, want %s", http2, body, want)
		}
	}
}

// A connection that a handler takes counts as one request that was answered.
func TestHijackIsCounted(t *testing.T) {
	worker := newWorker(0)
	s := start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		c.Close()
	})}, worker)
	c := dial(t, s.addr)
	c.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	c.mustEnd(soon)
	waitFor(t, "the request to be counted", func() bool { return worker.requests.Load() == 1 && worker.counts.Load() })
	if n := worker.failed.Load(); n != 0 {
		t.Errorf("%d have failed", n)
	}
}

// A request is counted once, also if a library has put this package's handler into another one of it.
func TestNestedHandlersCountOnce(t *testing.T) {
	worker := newWorker(0)
	s := &server{worker: worker}
	h := &handler{s, &handler{s, http.NotFoundHandler()}}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if n := worker.requests.Load(); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

// A request is in flight while its handler runs, which is how long it takes; it counts with its status, in this process's worker.
func TestRequestsAreTimed(t *testing.T) {
	const long = 20 * time.Millisecond
	worker := newWorker(0)
	h := &handler{&server{worker: worker}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := worker.inFlight.Load(); n != 1 {
			t.Errorf("%d requests are in flight, want 1", n)
		}
		time.Sleep(long)
		w.WriteHeader(http.StatusTeapot)
	})}
	begin := time.Now()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	took, most := time.Duration(worker.took.Load()), time.Since(begin)
	if took < long || took > most || worker.status.Load() != http.StatusTeapot || worker.inFlight.Load() != 0 {
		t.Errorf("status %d after %v, want %d after %v to %v; %d are in flight", worker.status.Load(), took, http.StatusTeapot, long, most, worker.inFlight.Load())
	}
}
