//go:build linux

package spread

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// queued returns how many connections wait in the queues of p's address.
func queued(t testing.TB, p *e2etest.Process) (n int) {
	_, port, err := net.SplitHostPort(p.Addr())
	e2etest.NoError(t, err)
	number, _ := strconv.Atoi(port)
	table, err := os.ReadFile("/proc/net/tcp")
	e2etest.NoError(t, err)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 5 || f[3] != "0A" { // it listens
			continue
		}
		_, local, _ := strings.Cut(f[1], ":")
		_, waits, _ := strings.Cut(f[4], ":")
		if at, _ := strconv.ParseInt(local, 16, 32); int(at) == number {
			in, _ := strconv.ParseInt(waits, 16, 32)
			n += int(in)
		}
	}
	return n
}

func waitQueued(t testing.TB, p *e2etest.Process, n int) {
	t.Helper()
	e2etest.WaitFor(t, strconv.Itoa(n)+" connections to wait", func() bool { return queued(t, p) >= n },
		func() string { return fmt.Sprint(queued(t, p), " wait") })
}

// A worker that is stopped keeps nobody waiting: the others accept what comes to its slot within
// the 100 ms of the documentation, besides what a busy machine holds up anyway.
func TestStoppedWorker(t *testing.T) {
	each(t, 8, func(t *testing.T, cfg master.Config) {
		p := e2etest.Start(t, "serve", cfg)
		usual, _ := latency(t, p, 200)
		victim := p.Children()[3]
		e2etest.StandStill(t, victim)
		defer func() { _ = syscall.Kill(victim, syscall.SIGCONT) }()
		late, by := latency(t, p, 400)
		t.Logf("the 99th of a hundred took %v, before the stop %v; answered by %v", late, usual, by)
		if late > 100*time.Millisecond+2*usual {
			t.Errorf("one of a hundred took %v", late)
		}
	})
}

// latency makes n requests, and returns what the 99th of a hundred took, and how many each worker has answered.
func latency(t *testing.T, p *e2etest.Process, n int) (late time.Duration, by map[string]int) {
	t.Helper()
	var took []time.Duration
	by = map[string]int{}
	for range n {
		begun := time.Now()
		body, err := e2etest.Request("tcp", p.Addr(), "/")
		e2etest.NoError(t, err)
		took = append(took, time.Since(begun))
		by[workerOf(body)]++
	}
	slices.Sort(took)
	return took[n*99/100], by
}

// Each worker gets its share of the connections, also of those that stay open.
func TestEvenShare(t *testing.T) {
	each(t, 8, func(t *testing.T, cfg master.Config) {
		p := e2etest.Start(t, "serve", cfg)
		by := map[string]int{}
		for range 800 {
			c, err := net.Dial("tcp", p.Addr())
			e2etest.NoError(t, err)
			defer c.Close()
			body, _, err := e2etest.NewConn(c).RoundTrip(e2etest.Get("/"))
			e2etest.NoError(t, err)
			by[workerOf(body)]++
			time.Sleep(time.Millisecond) // for the worker to wait again
		}
		t.Logf("800 connections: %v", by)
		for w, n := range by {
			if n < 50 || n > 150 {
				t.Errorf("worker %s has %d, want about 100", w, n)
			}
		}
		if len(by) != 8 {
			t.Errorf("%d workers have connections", len(by))
		}
	})
}
