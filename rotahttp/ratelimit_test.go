package rotahttp

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/ratelimit"
)

const many = ratelimit.Burst + 4

// Over TLS, where the conn can't tell the clients to reconnect, the answers do, a burst
// of them at once.
func TestAnswersSayCloseAtALimitedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &handler{&server{worker: newWorker(0)}, http.NotFoundHandler()}
		s.limiter.Start(many, ratelimit.Period)
		s.draining.Store(true)
		count := func() (n int) {
			for range many {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				if w.Header().Get("Connection") == "close" {
					n++
				}
			}
			return n
		}
		if n := count(); n != ratelimit.Burst {
			t.Errorf("%d told at once, want %d", n, ratelimit.Burst)
		}
		time.Sleep(ratelimit.Period)
		if n := count(); n != many {
			t.Errorf("%d told when the time is over, want all", n)
		}
	})
}

// The drain starts the rate limiter.
func TestDrainStartsTheLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		worker := newWorker(time.Second)
		s := attach(&http.Server{}, worker)
		var conns [many]sinkConn
		for i := range conns {
			s.http1.setState(&conns[i], http.StateNew)
		}
		worker.beginDrain()
		synctest.Wait()
		if d := s.limiter.Delay(many - 1); d <= 0 {
			t.Errorf("the last is told after %v", d)
		}
		for i := range conns {
			s.http1.setState(&conns[i], http.StateClosed)
		}
		<-worker.done
	})
}

// sinkConn keeps what is written.
type sinkConn struct {
	net.Conn
	got e2etest.Output
}

func (s *sinkConn) Write(p []byte) (int, error) { return s.got.Write(p) }

// gone reports whether a GOAWAY was written, and nothing else.
func (s *sinkConn) gone() bool { return s.got.String() == string(goAwayFrames) }

// Clients of HTTP/2 get their GOAWAYs at a limited rate, and after the last of them the
// time to obey it.
func TestGoAwaysAtALimitedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &http2Conns{changed: make(chan struct{}, 1)}
		sinks := make([]sinkConn, many)
		for i := range sinks {
			c := &http2Conn{Conn: &sinks[i]}
			c.written.started = true
			h.add(c)
		}
		count := func() (n int) {
			synctest.Wait()
			for i := range sinks {
				if sinks[i].gone() {
					n++
				}
			}
			return n
		}
		h.startGoAways()
		if n := count(); n != ratelimit.Burst {
			t.Errorf("%d told at once, want %d", n, ratelimit.Burst)
		}
		begun := time.Now()
		for !h.goAwaysObeyed() {
			time.Sleep(time.Millisecond)
		}
		if n, took := count(), time.Since(begun); n != many || took <= noAnswerTime || took > noAnswerTime+ratelimit.Period {
			t.Errorf("%d GOAWAYs written, all obeyed after %v", n, took)
		}
		late := &sinkConn{}
		c := &http2Conn{Conn: late}
		c.written.started = true
		h.add(c)
		synctest.Wait()
		if !late.gone() || h.goAwaysObeyed() {
			t.Error("a connection that is added during the drain got no GOAWAY")
		}
	})
}
