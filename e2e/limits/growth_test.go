//go:build linux

package limits

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// What a reload costs the master for each worker and each socket, and a leaving worker for each
// connection that it still serves, against their number. Run it alone on the machine:
//
//	go test ./e2e/limits -run '^$' -bench Growth -benchtime 1x -timeout 30m

// only is the one size that is measured; 0: all.
var only = flag.Int("size", 0, "measure growth at this size alone")

// sizes returns the sizes to measure.
func sizes(all ...int) []int {
	if *only > 0 {
		return []int{*only}
	}
	return all
}

// many listens on so many ports of 127.0.0.1 as the flags say.
func many() {
	n, _ := strconv.Atoi(os.Getenv(e2etest.FlagsEnv))
	for range n - 1 {
		go accept(server.MustListen())
	}
	accept(server.MustListen())
}

// accept greets the connections that come, and keeps them.
func accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() { _, _ = c.Write([]byte{1}); _, _ = c.Read(make([]byte, 1)); c.Close() }()
	}
}

// growth is the lines of one benchmark.
type growth struct {
	b    *testing.B
	what string
	base float64 // of the first size
}

// print prints the cost of one of n, and how it compares with that of the first size.
func (g *growth) print(n int, cost time.Duration) {
	each := float64(cost.Microseconds()) / float64(n)
	if g.base == 0 {
		g.base = each
	}
	fmt.Printf("%5d %s: %6.0f µs each, %.2f× the first\n", n, g.what, each, each/g.base)
	g.b.ReportMetric(each, fmt.Sprintf("µs/%s-of-%d", g.what, n))
}

// await is e2etest.WaitFor for what takes longer.
func await(b *testing.B, p *e2etest.Process, line e2etest.Line, n int) {
	for begun := time.Now(); p.Logged(line) < n; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 3*time.Minute {
			b.Fatalf("%d times %q, want %d:\n%s", p.Logged(line), line, n, p.Log)
		}
	}
}

// reloads returns the master's processor time for a reload of a server, the median of three.
func reloads(b *testing.B, workers, ports int) time.Duration {
	p := e2etest.Launch(b, "many", server.Quick(workers), e2etest.FlagsEnv+"="+strconv.Itoa(ports), "GOMAXPROCS=1")
	p.WaitChildren(workers)
	var all []float64
	for i := range 4 {
		before := e2etest.CPUTime(p.PID())
		p.Signal(syscall.SIGHUP)
		await(b, p, e2etest.ReloadDone, i+1)
		p.WaitChildren(workers)
		if i > 0 { // the first waits for the start
			all = append(all, float64(e2etest.CPUTime(p.PID())-before))
		}
	}
	p.Signal(syscall.SIGTERM)
	<-p.Ended
	return time.Duration(e2etest.Median(all))
}

func BenchmarkGrowthWorkers(b *testing.B) {
	g := &growth{b: b, what: "worker"}
	for _, n := range sizes(16, 64, 128, 256, 512) {
		g.print(n, reloads(b, n, 1))
	}
}

func BenchmarkGrowthSockets(b *testing.B) {
	g := &growth{b: b, what: "socket"}
	for _, n := range sizes(100, 500, 1000, 2000, 4000) {
		g.print(n, reloads(b, 1, n))
	}
}

// A leaving worker looks at its connections in every tenth of a second of its grace.
func BenchmarkGrowthConnections(b *testing.B) {
	g := &growth{b: b, what: "connection"}
	for _, n := range sizes(1000, 2000, 4000, 8000) {
		g.print(n, drain(b, n))
	}
}

// drain returns the processor time of a worker with n silent connections, from its order to leave
// to its end a second later.
func drain(b *testing.B, n int) time.Duration {
	cfg := server.Quick(1)
	cfg.Grace = time.Second
	p := e2etest.Start(b, "many", cfg, e2etest.FlagsEnv+"=1")
	conns := dial(b, p.Addr(), n)
	worker := p.Children()[0]
	before := e2etest.CPUTime(worker)
	p.Signal(syscall.SIGHUP)
	var last time.Duration
	for now := before; now > 0; now = e2etest.CPUTime(worker) {
		last = now
		time.Sleep(time.Millisecond)
	}
	for _, c := range conns {
		c.Close()
	}
	p.Signal(syscall.SIGTERM)
	<-p.Ended
	return last - before
}

// dial opens n connections, and returns them when a worker has accepted all.
func dial(b *testing.B, addr string, n int) (conns []net.Conn) {
	for range n {
		c, err := net.DialTimeout("tcp", addr, e2etest.Stuck)
		e2etest.NoError(b, err)
		conns = append(conns, c)
	}
	for _, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(e2etest.Stuck))
		_, err := c.Read(make([]byte, 1))
		e2etest.NoError(b, err)
	}
	return conns
}
