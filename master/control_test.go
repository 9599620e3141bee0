//go:build linux

package master

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/status"
)

// controlled starts a master with fake workers and a control socket.
func controlled(t *testing.T, workers int) (m *Master, o *fakeOS, path string) {
	t.Helper()
	o, path = &fakeOS{}, filepath.Join(t.TempDir(), "rota.sock")
	m = newMaster(Config{Workers: workers, MinUptime: -1, Control: path, Logger: slog.New(slog.DiscardHandler)}, o.sys())
	t.Cleanup(func() { _ = m.Close() })
	go func() { _ = m.Run(context.Background()) }()
	for s := range m.Watch(t.Context()) {
		if s.Phase == "serving" {
			break
		}
	}
	return m, o, path
}

// The status of 100 workers comes over the control socket within 5 ms.
func TestHundredWorkersOverControl(t *testing.T) {
	m, _, path := controlled(t, 100)
	for range 2 * status.HistorySize {
		_ = m.Scale(100)
	}
	var took []time.Duration
	for range 30 {
		time.Sleep(25 * time.Millisecond) // nobody else has just asked
		begin := time.Now()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(`{"do":"status"}` + "\n"))
		line, err := bufio.NewReader(c).ReadString('\n')
		took = append(took, time.Since(begin))
		_ = c.Close()
		if err != nil || strings.Count(line, `"slot":`) < 99 {
			t.Fatalf("%.300s, %v", line, err)
		}
	}
	slices.Sort(took)
	t.Logf("the status of 100 workers: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if took[0] > 5*time.Millisecond {
		t.Errorf("the best of %d takes %v", len(took), took[0])
	}
}

// asker is a worker that asks for a socket again and again.
type asker struct {
	*fakeProc
	took []time.Duration
}

func newAsker(t *testing.T, m *Master, o *fakeOS) *asker {
	t.Helper()
	ready := make(chan *fakeProc)
	o.mu.Lock()
	o.script = func(p *fakeProc) { idle(p); ready <- p }
	o.mu.Unlock()
	if _, err := m.Fork(nil); err != nil {
		t.Fatal(err)
	}
	a := &asker{fakeProc: <-ready}
	o.mu.Lock()
	o.script = nil
	o.mu.Unlock()
	return a
}

func (a *asker) once(t *testing.T) {
	begin := time.Now()
	f := a.listen("tcp", ":80")
	if f.Type != wire.Socket {
		t.Fatalf("ask %d is answered by %v: %v", len(a.took), f.Type, errorOf(f))
	}
	a.took = append(a.took, time.Since(begin))
	a.say(wire.Closed, wire.ClosedBody{ID: socketOf(f)}) // it may ask again
}

// p99 returns what one of a hundred asks took longer than, and forgets them.
func (a *asker) p99() time.Duration {
	slices.Sort(a.took)
	took := a.took[len(a.took)*99/100]
	a.took = nil
	return took
}

// hostile are clients of a control socket, and what they do until stop is closed.
var hostile = map[string]func(t *testing.T, m *Master, path string, stop <-chan struct{}){
	"a Watch that nobody reads": func(t *testing.T, m *Master, _ string, stop <-chan struct{}) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_ = m.Watch(ctx)
		<-stop
	},
	"garbage": func(_ *testing.T, _ *Master, path string, stop <-chan struct{}) {
		for !isClosed(stop) {
			if c, err := net.Dial("unix", path); err == nil {
				_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n\x00{{{{" + strings.Repeat("x", 5000)))
				_, _ = bufio.NewReader(c).ReadString('\n')
				_ = c.Close()
			}
			time.Sleep(time.Millisecond)
		}
	},
	"1000 clients at once": func(_ *testing.T, _ *Master, path string, stop <-chan struct{}) {
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() {
				for !isClosed(stop) {
					if c, err := net.Dial("unix", path); err == nil {
						_ = c.SetDeadline(time.Now().Add(time.Second))
						_, _ = c.Write([]byte([]string{`{"do":"status"}`, `{"do":"watch"}`}[n%2] + "\n"))
						_, _ = bufio.NewReader(c).ReadString('\n')
						_ = c.Close()
					}
					time.Sleep(500 * time.Millisecond)
				}
			})
		}
		all.Wait()
	},
	"clients that never read": func(_ *testing.T, _ *Master, path string, stop <-chan struct{}) {
		for n := range 64 {
			if c, err := net.Dial("unix", path); err == nil {
				_, _ = c.Write([]byte([]string{`{"do":"status"}`, `{"do":"watch"}`}[n%2] + "\n"))
				defer c.Close()
			}
		}
		<-stop
	},
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Whatever clients of the control socket do, and those that watch, a worker that asks for a socket gets
// it as soon as from a master without them. The two masters are asked in turns, and the same happens to
// both, so that a slow machine is slow for both.
func TestAskBesideClients(t *testing.T) {
	for name, clients := range hostile {
		t.Run(name, func(t *testing.T) {
			beside, o, path := controlled(t, 20)
			alone, quiet, _ := controlled(t, 20)
			a, b := newAsker(t, beside, o), newAsker(t, alone, quiet)
			stop, ended := make(chan struct{}), make(chan struct{})
			go func() { defer close(ended); clients(t, beside, path, stop) }()
			defer func() { close(stop); <-ended }()
			time.Sleep(100 * time.Millisecond) // they have begun
			var ratios, with, without []float64
			for range 5 {
				for n := range 400 {
					if n%20 == 0 { // a change, of which those are told that watch
						_, _ = beside.Scale(20+n/20%2), alone.Scale(20+n/20%2)
					}
					a.once(t)
					b.once(t)
				}
				x, y := a.p99(), b.p99()
				ratios = append(ratios, float64(x)/float64(y))
				with, without = append(with, x.Seconds()*1e6), append(without, y.Seconds()*1e6)
			}
			slices.Sort(ratios)
			slices.Sort(with)
			slices.Sort(without)
			t.Logf("p99 of an ask: %.0f µs beside them, %.0f µs without, ratio %.2f (median of %d)", with[2], without[2], ratios[2], len(ratios))
			if ratios[2] > 5 && with[2] > 5000 {
				t.Errorf("the loop is delayed: ratios %.2f", ratios)
			}
		})
	}
}
