//go:build linux

package rotaquic

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// ways are what clients do.
var ways = map[string]func(c *http3.Transport, addr string) error{"requests": requests, "download": download, "upload": upload}

// BenchmarkCost compares quic-go alone with workers, in the processor time of the server: go test -bench Cost -benchtime 20x
func BenchmarkCost(b *testing.B) {
	for _, workers := range []int{0, 1, 4} {
		for name, one := range ways {
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
	var clients []costClient
	for range 8 {
		c := costClient{newClient(b), addr}
		e2etest.WaitFor(b, "the server", func() bool { _, err := get(c.Transport, "https://"+addr+"/whoami"); return err == nil })
		clients = append(clients, c)
	}
	measure(b, p, clients, one)
}

// BenchmarkMoved is what the hop of a packet costs with a queue for each slot: clients whose address has changed since the handshake
// come to another slot, three of four. go test -bench Moved -benchtime 10x
func BenchmarkMoved(b *testing.B) {
	for name, one := range ways {
		for _, moves := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/moved=%t", name, moves), func(b *testing.B) { moved(b, moves, one) })
		}
	}
}

func moved(b *testing.B, moves bool, one func(c *http3.Transport, addr string) error) {
	cfg, addr := configOf(4), e2etest.FreeAddress(b)
	cfg.Spread = master.SpreadSlots
	p := e2etest.Start(b, "http3", cfg, e2etest.FlagsEnv+"="+addr)
	p.WaitLog(e2etest.WorkerReady, cfg.Workers)
	var clients []costClient
	for range 8 {
		n := newNAT(b, addr)
		c := costClient{newClient(b), n.addr()}
		clients = append(clients, c)
		if _, err := get(c.Transport, "https://"+c.addr+"/whoami"); err != nil {
			b.Fatal(err)
		}
		if moves {
			n.change(b)
		}
	}
	measure(b, p, clients, one)
	for _, c := range clients {
		c.Close()
	}
	p.Signal(syscall.SIGTERM)
	p.Wait() // before the NATs are gone
}

// costClient is a client, and the address by which it reaches the server.
type costClient struct {
	*http3.Transport
	addr string
}

// measure reports the processor time of the server for what the clients do.
func measure(b *testing.B, p *e2etest.Process, clients []costClient, one func(c *http3.Transport, addr string) error) {
	pids := append(e2etest.WorkersOf(p.PID()), p.PID())
	before := cpu(pids)
	for b.Loop() {
		var group sync.WaitGroup
		for _, c := range clients {
			group.Go(func() {
				if err := one(c.Transport, c.addr); err != nil {
					b.Error(err)
				}
			})
		}
		group.Wait()
	}
	b.ReportMetric(float64((cpu(pids)-before).Microseconds())/float64(b.N)/1000, "server-ms/op")
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
