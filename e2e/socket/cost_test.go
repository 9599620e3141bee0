//go:build linux

package socket

import (
	"context"
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// labPairs listens and closes n times.
func labPairs(v url.Values) (string, error) {
	var n int
	fmt.Sscan(v.Get("n"), &n)
	for range n {
		c, _, err := labOpen(rota.ListenConfig{}, v.Get("network"), v.Get("address"))
		if err != nil {
			return "", err
		}
		if err := c.Close(); err != nil {
			return "", err
		}
	}
	return "", nil
}

// Listening on every network and closing at once, many times, leaves the master and the
// worker with the descriptors that they had.
func TestListenAndCloseLeakNothing(t *testing.T) {
	t.Parallel()
	dir := e2etest.ShortDir(t)
	given, _ := socketFile(t, "tcp", "127.0.0.1:0")
	gram, _ := socketFile(t, "udp", "127.0.0.1:0")
	p := give(t, 1, "", given, gram)
	lab := labsOf(p, 1)[0]
	pairs := e2etest.Times(100, 25)
	all := func(n int) {
		for i := range 10 {
			for network, address := range map[string]string{
				"tcp": "127.0.0.1:0", "tcp4": ":0", "tcp6": "[::]:0", "udp": "127.0.0.1:0", "udp4": ":0", "udp6": "[::]:0",
				"unix": fmt.Sprint(dir, "/u", i), "unixpacket": fmt.Sprint(dir, "/p", i), "unixgram": fmt.Sprint("@", dir, i), "fd": "3", "fdgram": "4",
			} {
				lab.must("pairs", "network", network, "address", address, "n", fmt.Sprint(n))
			}
		}
	}
	all(1)
	waitForSockets(t, p, 0)
	master, worker := e2etest.Descriptors(p.PID()), e2etest.Descriptors(lab.pid)
	all(pairs)
	waitForSockets(t, p, 0)
	e2etest.WaitFor(t, fmt.Sprintf("%d descriptors in the master and %d in the worker", master, worker), func() bool {
		return e2etest.Descriptors(p.PID()) <= master && e2etest.Descriptors(lab.pid) <= worker
	}, func() string { return fmt.Sprint(e2etest.Descriptors(p.PID()), " ", e2etest.Descriptors(lab.pid)) })
	t.Logf("%d pairs: %d descriptors in the master, %d in the worker, as before", 110*pairs, e2etest.Descriptors(p.PID()), e2etest.Descriptors(lab.pid))
}

// waitForSockets waits until the master has n sockets besides the inherited ones and the
// links.
func waitForSockets(t *testing.T, p *e2etest.Process, n int) {
	t.Helper()
	e2etest.WaitFor(t, "the master to close what nobody wants", func() bool {
		return len(e2etest.SocketFlags(t, p.PID())) <= 2+1+n
	})
}

// labTime listens n times and answers with the median duration in microseconds.
func labTime(v url.Values) (string, error) {
	var n int
	fmt.Sscan(v.Get("n"), &n)
	took := make([]time.Duration, n)
	for i := range n {
		lc := rota.ListenConfig{}
		begin := time.Now()
		c, err := lc.Listen(context.Background(), v.Get("network"), "127.0.0.1:0")
		took[i] = time.Since(begin)
		if err != nil {
			return "", err
		}
		if v.Has("close") {
			c.Close()
		} else {
			defer c.Close()
		}
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	return strconv.FormatFloat(float64(took[n/2].Nanoseconds())/1000, 'f', 1, 64), nil
}

// BenchmarkSocketAsk measures Listen in a worker: for new sockets, for the same sockets in
// a second worker, and for one that the worker has just closed.
func BenchmarkSocketAsk(b *testing.B) {
	p := e2etest.Start(b, "lab", server.Quick(2))
	labs := labsOf(p, 2)
	for _, row := range []struct {
		name string
		lab  bench
		args []string
	}{
		{"first", labs[0], nil}, {"second", labs[1], nil}, {"again", labs[0], []string{"close", "yes"}},
	} {
		b.Run(row.name, func(b *testing.B) {
			for range b.N {
				median, err := strconv.ParseFloat(row.lab.must("time", append([]string{"network", "tcp", "n", "500"}, row.args...)...), 64)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(median, "median-µs/ask")
			}
		})
	}
}
