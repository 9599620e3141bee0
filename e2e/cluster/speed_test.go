//go:build linux

package cluster

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
)

// The speed of messages and forks, here and in Node on the same machine in the same
// run: go test ./e2e/cluster -run '^$' -bench 'ClusterSpeed|Messages|Fork' -benchtime 1x

func BenchmarkMessagesOneWay(b *testing.B) {
	b.ReportMetric(oneWay(b, b.N), "messages/s")
}

func BenchmarkMessagesRoundTrip(b *testing.B) {
	b.ReportMetric(roundTrips(b, b.N), "roundtrips/s")
}

func BenchmarkForkToListening(b *testing.B) {
	b.ReportMetric(forkToListening(b, b.N), "ms/fork")
}

// stopwatch measures from the first event to the n-th after it.
type stopwatch struct {
	n, last int
	began   time.Time
	took    chan time.Duration
}

func newStopwatch(n int) *stopwatch {
	return &stopwatch{n: -1, last: n, took: make(chan time.Duration, 1)}
}

// tick counts an event, and reports whether there are more to come.
func (s *stopwatch) tick() bool {
	s.n++
	if s.n == 0 {
		s.began = time.Now()
	}
	if s.n == s.last {
		s.took <- time.Since(s.began)
	}
	return s.n < s.last
}

func (s *stopwatch) rate(t testing.TB) float64 {
	return float64(s.last) / e2etest.Await(t, "the last message", s.took).Seconds()
}

// oneWay returns how many small messages a second go from a worker to its master.
func oneWay(t testing.TB, n int) float64 {
	w := newCluster(t, "flood").fork(nil)
	watch := newStopwatch(n)
	w.Subscribe(master.Events{Message: func(*master.Worker, ipc.Message) { watch.tick() }})
	if err := w.Send(notice{N: n + 1}); err != nil {
		t.Fatal(err)
	}
	return watch.rate(t)
}

// roundTrips returns how many times a second a message goes to a worker and back.
func roundTrips(t testing.TB, n int) float64 {
	w := newCluster(t, "echo").fork(nil)
	watch := newStopwatch(n)
	ping := func() {
		if err := w.Send(notice{Cmd: "echo", N: 1}); err != nil {
			t.Error(err)
		}
	}
	w.Subscribe(master.Events{Message: func(*master.Worker, ipc.Message) {
		if watch.tick() {
			ping()
		}
	}})
	ping()
	return watch.rate(t)
}

// forkToListening returns how many milliseconds pass from Fork to the event Listening.
func forkToListening(t testing.TB, n int) float64 {
	c := newCluster(t, "serve")
	listening := make(chan time.Time, 1)
	c.Subscribe(master.Events{Listening: func(*master.Worker, master.Address) { listening <- time.Now() }})
	var sum time.Duration
	for range n {
		began := time.Now()
		w := c.fork(nil)
		sum += e2etest.Await(t, "listening", listening).Sub(began)
		_ = w.Process().Kill()
		gone(t, w)
	}
	return float64(sum.Microseconds()) / 1000 / float64(n)
}

// BenchmarkClusterSpeed measures this and Node in turn, and prints the ratios of the
// medians.
func BenchmarkClusterSpeed(b *testing.B) {
	for _, tc := range []struct {
		name, mode string
		here       func(testing.TB, int) float64
		count      int
		want       string
	}{
		{"messages one way/s", "flood", oneWay, 200_000, "3 times Node's, and 400,000"},
		{"round trips/s", "echo", roundTrips, 40_000, "1.2 times Node's, and 40,000"},
		{"forks to Listening/s", "fork", forks, 10, "5 times Node's, which takes 74 ms on a quiet machine"},
	} {
		b.Run(tc.mode, func(b *testing.B) {
			var here, there []float64
			for range 5 * b.N {
				here = append(here, tc.here(b, tc.count))
				there = append(there, node(b, tc.mode, tc.count))
			}
			ours, nodes := e2etest.Median(here), e2etest.Median(there)
			b.ReportMetric(ours/nodes, "ratio")
			b.Logf("%s: %.4g, Node %.4g (medians of %d): ratio %.1f (want %s)", tc.name, ours, nodes, len(here), ours/nodes, tc.want)
		})
	}
}

// forks returns how many workers a second can be forked, one after the other.
func forks(t testing.TB, n int) float64 { return 1000 / forkToListening(t, n) }

// node runs the same measurement in Node, and returns the number that it prints.
func node(t testing.TB, mode string, count int) float64 {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: nothing to compare with")
	}
	out, err := exec.Command(path, "testdata/messages.js", mode, strconv.Itoa(count)).Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, out)
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
