//go:build linux

package controlserver

import (
	"bufio"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/newest"
	"github.com/rota-go/rota/status"
)

// A burst of clients is accepted at once, and then one in each interval, until few come for a while.
func TestPace(t *testing.T) {
	var p pace
	now := time.Now()
	for n := range 3 * burst {
		if got, want := p.next(now), max(0, time.Duration(n+1-burst)*interval); got != want {
			t.Fatalf("client %d waits %v, want %v", n, got, want)
		}
	}
	now = now.Add(time.Hour)
	for n := range burst {
		if got := p.next(now); got != 0 {
			t.Fatalf("after an hour client %d waits %v", n, got)
		}
	}
	if got := p.next(now); got != interval {
		t.Errorf("after the burst: %v", got)
	}
}

// Clients that send garbage as fast as they can are handled at the pace of the master's, not at theirs, and
// that is slower than the one of clients that ask for something.
func TestGarbageIsPaced(t *testing.T) {
	m, path, _ := start(t)
	const clients = 200
	begin := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range clients / 8 {
				c, err := net.Dial("unix", path)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = c.Write([]byte("GET / HTTP/1.1\n"))
				if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.Contains(line, `"invalid"`) {
					t.Errorf("%q", line)
				}
				_ = c.Close()
			}
		})
	}
	all.Wait()
	if took, least := time.Since(begin), (clients-burst)*(1+garbage)*interval; took < least {
		t.Errorf("%d clients in %v, want %v at least", clients, took, least)
	}
	if n := m.recents.Load(); n > 0 || m.called() != "" {
		t.Errorf("the master was asked for %d statuses, and called: %s", n, m.called())
	}
}

// Clients that ask for the status share what the master is asked for: that is bounded by the time that passes, not by their
// number.
func TestStatusIsShared(t *testing.T) {
	m, path, _ := start(t)
	begin := time.Now()
	var all sync.WaitGroup
	for range 300 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer c.Close()
			_, _ = c.Write([]byte(`{"do":"status"}` + "\n"))
			_, _ = bufio.NewReader(c).ReadString('\n') // it may be told that the master is busy
		})
	}
	all.Wait()
	if n, most := m.recents.Load(), int64(time.Since(begin)/newest.Pause)+2; n == 0 || n > most {
		t.Errorf("the master was asked for %d statuses, want 1 to %d", n, most)
	}
}

// A status is encoded once for all that watch, and a client that never reads delays nobody who does.
func TestLineIsShared(t *testing.T) {
	m, path, _ := start(t)
	const watchers, size = 30, 1 << 20
	phase := strings.Repeat("x", size)
	m.set(status.Status{Time: time.Unix(1, 0)})
	var all sync.WaitGroup
	for range watchers {
		c, in := dial(t, path, `{"do":"watch"}`+"\n")
		next(t, in)
		all.Go(func() {
			for b, n := make([]byte, 64<<10), 0; n < size; {
				got, err := c.Read(b)
				if n += got; err != nil {
					t.Errorf("after %d bytes: %v", n, err)
					return
				}
			}
		})
	}
	for range 8 { // more than there are processors
		dial(t, path, `{"do":"watch"}`+"\n")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	m.set(status.Status{Time: time.Unix(2, 0), Phase: phase})
	all.Wait()
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	if made := after.TotalAlloc - before.TotalAlloc; made > watchers*size/2 {
		t.Errorf("%d watchers of a status of 1 MB cost %d MB", watchers, made>>20)
	}
	if took > writeTimeout {
		t.Errorf("those that read have it after %v", took)
	}
}
