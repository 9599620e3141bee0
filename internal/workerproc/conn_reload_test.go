package workerproc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shiftListener gives the conns it accepts to the generation of the day.
type shiftListener struct {
	net.Listener
	now  atomic.Pointer[connListener]
	past []*connListener
}

func (s *shiftListener) Accept() (net.Conn, error) {
	inner, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.now.Load().take(inner), nil
}

// reload drains the conns accepted so far. What has been accepted is in the old
// generation or the new one, as with workers.
func (s *shiftListener) reload() {
	old := s.now.Swap(newConnListener(nil))
	old.drain()
	s.past = append(s.past, old)
}

// Under one reload after the other, no client that never tries twice misses an
// answer, and every conn that still talks is gone soon.
func TestConnReloadsLoseNothing(t *testing.T) {
	post := fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n%s", strings.Repeat("x", 1000))
	for _, tt := range []struct {
		name, request string
		pause         time.Duration
	}{
		{"closed loop", getRequest, 0},
		{"pauses", getRequest, 5 * time.Millisecond},
		{"uploads", post, time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln := &shiftListener{Listener: listenConns(t, "tcp").Listener}
			ln.now.Store(newConnListener(nil))
			go http.Serve(ln, http.HandlerFunc(echoBody))
			stop := make(chan struct{})
			var asked atomic.Int64
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					if err := neverTwice(ln.Addr(), tt.request, tt.pause, &asked, stop); err != nil {
						t.Error("lost: ", err)
					}
				})
			}
			for i := range int64(10) {
				eventually(t, "the clients get answers", func() bool { return asked.Load() >= 100*(i+1) })
				ln.reload()
				for _, old := range ln.past {
					old.tick(1 << 30)
				}
			}
			for _, old := range ln.past {
				eventually(t, "the old conns are gone", func() bool { return old.live.Load() == 0 })
			}
			close(stop)
			wg.Wait()
		})
	}
}

// neverTwice asks until stop is closed, on connections that it leaves only when told.
func neverTwice(addr net.Addr, request string, pause time.Duration, asked *atomic.Int64, stop chan struct{}) error {
	for {
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		for br, told := bufio.NewReader(c), false; !told; time.Sleep(pause) {
			select {
			case <-stop:
				return nil
			default:
			}
			if _, err := io.WriteString(c, request); err != nil {
				return err
			}
			r, err := http.ReadResponse(br, nil)
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return err
			}
			asked.Add(1)
			told = r.Close
		}
	}
}
