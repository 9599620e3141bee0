//go:build linux

package rotaquic

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota/internal/e2etest"
)

// BenchmarkCost compares quic-go alone with workers, in the processor time of the server: go test -bench Cost -benchtime 20x
func BenchmarkCost(b *testing.B) {
	for _, workers := range []int{0, 1, 4} {
		for name, one := range map[string]func(c *http3.Transport, addr string) error{"requests": requests, "download": download, "upload": upload} {
			b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) { cost(b, workers, one) })
		}
	}
}

func cost(b *testing.B, workers int, one func(c *http3.Transport, addr string) error) {
	addr := e2etest.FreeAddress(b)
	cmd := e2etest.Command(b, "http3", configOf(max(workers, 1)), e2etest.FlagsEnv+"="+addr)
	if workers == 0 {
		cmd = e2etest.Command(b, "plain", configOf(1), e2etest.FlagsEnv+"="+addr, "ROTA=off")
	}
	p := e2etest.Run(b, cmd)
	pids := func() []int { return append(e2etest.WorkersOf(p.PID()), p.PID()) }
	clients := make([]*http3.Transport, 8)
	for i := range clients {
		clients[i] = newClient(b)
		e2etest.WaitFor(b, "the server", func() bool { _, err := get(clients[i], "https://"+addr+"/whoami"); return err == nil })
	}
	before := cpu(pids())
	for b.Loop() {
		var group sync.WaitGroup
		for _, c := range clients {
			group.Go(func() {
				if err := one(c, addr); err != nil {
					b.Error(err)
				}
			})
		}
		group.Wait()
	}
	b.ReportMetric(float64((cpu(pids())-before).Microseconds())/float64(b.N)/1000, "server-ms/op")
}

func cpu(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		sum += e2etest.CPUTime(pid)
	}
	return sum
}

func requests(c *http3.Transport, addr string) error {
	for range 100 {
		if _, err := get(c, "https://"+addr+"/whoami"); err != nil {
			return err
		}
	}
	return nil
}

func download(c *http3.Transport, addr string) error {
	resp, err := c.RoundTrip(newRequest(http.MethodGet, "https://"+addr+"/zeros", nil))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func upload(c *http3.Transport, addr string) error {
	_, err := do(c, newRequest(http.MethodPost, "https://"+addr+"/whoami", strings.NewReader(strings.Repeat("x", 8<<20))))
	return err
}
