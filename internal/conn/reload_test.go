package conn

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

// shiftListener adds the connections that it accepts to the present generation.
type shiftListener struct {
	net.Listener
	now    atomic.Pointer[connListener]
	former []*connListener
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
	s.former = append(s.former, old)
}

// During many reloads, clients that never repeat a request get all answers, and the old
// connections end soon.
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
				for _, old := range ln.former {
					old.tick(1 << 30)
				}
			}
			for _, old := range ln.former {
				eventually(t, "the old conns are gone", func() bool { return old.live.Load() == 0 })
			}
			close(stop)
			wg.Wait()
		})
	}
}

// neverTwice sends requests until stop is closed. It leaves a connection only after an
// announcement, and never repeats a request.
func neverTwice(addr net.Addr, request string, pause time.Duration, asked *atomic.Int64, stop chan struct{}) error {
	for {
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		for br, closing := bufio.NewReader(c), false; !closing; time.Sleep(pause) {
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
			closing = r.Close
		}
	}
}
