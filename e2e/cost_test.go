//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/rotahttp"
)

// What rota costs compared with net.Listen. Each benchmark runs all sides in turn and prints
// ratios. Run them alone on the machine:
//
//	go test ./e2e -run '^$' -bench Cost -benchtime 1x

// plain is Serve with net.Listen.
func plain() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, e2etest.PlainReady(os.Getpid(), ln.Addr().String()))
	_ = http.Serve(ln, http.HandlerFunc(brief))
}

// serveBrief is plain with one line changed.
func serveBrief() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_ = http.Serve(ln, http.HandlerFunc(brief))
}

// serveRotahttp is serveBrief by rotahttp.
func serveRotahttp() { _ = rotahttp.ListenAndServe("127.0.0.1:0", http.HandlerFunc(brief)) }

// brief is a handler that does almost nothing.
func brief(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }

const (
	rounds     = 120                    // of both sides
	roundTime  = 100 * time.Millisecond // of each side
	benchLoops = 8
)

// BenchmarkCostConnections compares new connections a second, one request each.
func BenchmarkCostConnections(b *testing.B) { benchCost(b, loopConnections) }

// BenchmarkCostKeepAlive compares requests a second on connections that stay.
func BenchmarkCostKeepAlive(b *testing.B) { benchCost(b, loopRequests, "serve-rotahttp") }

func loopConnections(b *testing.B, addr string, stop *atomic.Bool) (n int) {
	for !stop.Load() {
		if _, err := e2etest.Request("tcp", addr, "/"); err != nil {
			b.Error(err)
			return n
		}
		n++
	}
	return n
}

func loopRequests(b *testing.B, addr string, stop *atomic.Bool) (n int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer c.Close()
	r := bufio.NewReader(c)
	buf := make([]byte, 4096)
	for !stop.Load() {
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: e2e\r\n\r\n"); err != nil {
			b.Error(err)
			return n
		}
		if err := skipAnswer(r, buf); err != nil {
			b.Error(err)
			return n
		}
		n++
	}
	return n
}

// skipAnswer reads one answer. It does little, because the client shares the machine.
func skipAnswer(r *bufio.Reader, buf []byte) error {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
	}
	_, err := r.Discard(length)
	return err
}

// side is a server that a benchmark measures.
type side struct {
	name string
	addr string
	pid  int // of the process that serves

	rates, cpu []float64 // of each round: turns a second, and microseconds of processor time a turn
}

type loop func(b *testing.B, addr string, stop *atomic.Bool) (turns int)

// benchCost measures one worker of rota and two plain servers, in turn and in random order. The
// second plain server shows what is chance.
func benchCost(b *testing.B, l loop, others ...string) {
	sides := []*side{startSide(b, "plain"), startSide(b, "plain"), startSide(b, "serve-brief")}
	for _, name := range others {
		sides = append(sides, startSide(b, name))
	}
	for range b.N {
		for i := range rounds + 2 {
			for _, k := range rand.Perm(len(sides)) {
				sides[k].measure(b, l, i >= 2) // the first ones warm up
			}
		}
	}
	for _, s := range sides[1:] {
		s.compare(b, sides[0])
	}
}

// startSide runs a helper for a benchmark.
func startSide(b *testing.B, helper string) *side {
	p := e2etest.Start(b, helper, master.Config{Workers: 1})
	pids := p.ReadyPIDs()
	return &side{name: helper, addr: p.Addr(), pid: pids[len(pids)-1]}
}

// measure runs loops for roundTime.
func (s *side) measure(b *testing.B, l loop, keep bool) {
	var stop atomic.Bool
	var total atomic.Int64
	var group sync.WaitGroup
	begin, before := time.Now(), e2etest.CPUTime(s.pid)
	for range benchLoops {
		group.Go(func() { total.Add(int64(l(b, s.addr, &stop))) })
	}
	time.Sleep(roundTime)
	stop.Store(true)
	group.Wait()
	if n := float64(total.Load()); keep && n > 0 {
		s.rates = append(s.rates, n/time.Since(begin).Seconds())
		s.cpu = append(s.cpu, float64(e2etest.CPUTime(s.pid)-before)/1e3/n)
	}
}

// compare prints what the side does, as a part of what another one does.
func (s *side) compare(b *testing.B, other *side) {
	rate, cpu := e2etest.PairedRatio(s.rates, other.rates), e2etest.PairedRatio(s.cpu, other.cpu)
	b.Logf("%-12s %.0f/s, %.3f (%.3f to %.3f) of plain; %.2f us a turn, %.3f (%.3f to %.3f) of plain", s.name,
		e2etest.Median(s.rates), rate.Median, rate.From, rate.To, e2etest.Median(s.cpu), cpu.Median, cpu.From, cpu.To)
	b.ReportMetric(rate.Median, s.name+"-rate-ratio")
	b.ReportMetric(cpu.Median, s.name+"-cpu-ratio")
}

// BenchmarkCostMemory prints the resident memory of the master of examples/hello.
func BenchmarkCostMemory(b *testing.B) {
	p := startHello(b)
	time.Sleep(time.Second) // what a start leaves behind is given back
	kb := e2etest.ResidentKB(p.PID())
	b.Logf("master of examples/hello: %.1f MB resident (want at most 12)", float64(kb)/1024)
	b.ReportMetric(float64(kb)/1024, "MB")
}

// BenchmarkCostStart prints how long a worker takes from fork to its first Accept.
func BenchmarkCostStart(b *testing.B) {
	p := startHello(b)
	for range 50 {
		p.Reload()
	}
	var ms []float64
	for _, took := range p.StartTimes() {
		d, err := time.ParseDuration(took)
		if err != nil {
			b.Fatal(err)
		}
		ms = append(ms, float64(d)/1e6)
	}
	b.Logf("fork to first Accept, %d workers: median %.0f ms, worst %.0f ms (want a median of at most 15)",
		len(ms), e2etest.Median(ms), slices.Max(ms))
	b.ReportMetric(e2etest.Median(ms), "ms")
}
