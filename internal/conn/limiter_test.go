package conn

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/http1"
	"github.com/rota-go/rota/internal/ratelimit"
)

// Of many connections a burst announces the end at once, and all within the limiter's
// period. A connection that has announced it does so in every later answer.
func TestConnsAnnounceAtALimitedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4 * ratelimit.Burst
		w := newShared()
		conns, out := make([]conn, n), make([]dripConn, n)
		for i := range conns {
			out[i].room = math.MaxInt
			conns[i].init(&out[i], w, true)
		}
		answer := func() (announced int) {
			for i := range conns {
				out[i].got.Reset()
				conns[i].http.OnReadStart()
				conns[i].http.OnRead([]byte("GET / HTTP/1.1\r\n\r\n"), w.Draining.Load())
				if _, err := conns[i].Write([]byte(plainAnswer)); err != nil {
					t.Fatal(err)
				}
				if s := out[i].got.String(); strings.Contains(s, http1.Line) {
					announced++
				} else if s != plainAnswer {
					t.Fatalf("conn %d: %q", i, s)
				}
			}
			return announced
		}
		if k := answer(); k != 0 {
			t.Fatalf("%d announced before the drain", k)
		}
		w.Limiter.Start(n, time.Hour)
		w.Draining.Store(true)
		for range 2 {
			if k := answer(); k != ratelimit.Burst {
				t.Errorf("%d announced at once, want %d", k, ratelimit.Burst)
			}
		}
		time.Sleep(ratelimit.Period / 10)
		if k := answer(); k <= ratelimit.Burst || k == n {
			t.Errorf("%d announced after a tenth of the time", k)
		}
		time.Sleep(ratelimit.Period)
		if k := answer(); k != n {
			t.Errorf("%d announced when the time is over, want all", k)
		}
	})
}
