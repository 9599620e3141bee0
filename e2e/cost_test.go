//go:build linux

package e2e

import (
	"bufio"
	"fmt"
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
)

// What rota costs compared with net.Listen. Each benchmark runs both in turn and prints the
// ratio. Run them alone on the machine:
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

// brief is a handler that does almost nothing.
func brief(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }

const (
	rounds     = 120                    // of both sides
	roundTime  = 100 * time.Millisecond // of each side
	benchLoops = 8
)

// BenchmarkCostConnections compares new connections a second, one request each.
func BenchmarkCostConnections(b *testing.B) {
	benchRatio(b, 0.97, func(addr string, stop *atomic.Bool) (n int) {
		for !stop.Load() {
			if _, err := e2etest.Request("tcp", addr, "/"); err != nil {
				b.Error(err)
				return n
			}
			n++
		}
		return n
	})
}

// BenchmarkCostKeepAlive compares requests a second on connections that stay.
func BenchmarkCostKeepAlive(b *testing.B) {
	benchRatio(b, 0.99, func(addr string, stop *atomic.Bool) (n int) {
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
	})
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

// benchRatio measures one worker of rota and a plain server in turn, and prints the ratio.
func benchRatio(b *testing.B, want float64, loop func(addr string, stop *atomic.Bool) int) {
	rota := benchServer(b, "serve-brief")
	plain := benchServer(b, "plain")
	for range b.N {
		var ours, theirs, ratios []float64
		for i := range rounds + 2 {
			var a, p float64
			if i%2 == 0 { // who is first alternates
				a, p = rate(rota, loop), rate(plain, loop)
			} else {
				p, a = rate(plain, loop), rate(rota, loop)
			}
			if i >= 2 { // the first ones warm up
				ours, theirs, ratios = append(ours, a), append(theirs, p), append(ratios, a/p)
			}
		}
		slices.Sort(ratios)
		b.Logf("rota %.0f/s, plain %.0f/s (medians): ratio of medians %.3f, median ratio %.3f (want %.2f)",
			e2etest.Median(ours), e2etest.Median(theirs), e2etest.Median(ours)/e2etest.Median(theirs), e2etest.Median(ratios), want)
		b.ReportMetric(e2etest.Median(ours)/e2etest.Median(theirs), "ratio")
		b.ReportMetric(e2etest.Median(ours), "rota/s")
		b.ReportMetric(e2etest.Median(theirs), "plain/s")
	}
}

// rate runs loops for roundTime and returns how many turns a second they have made.
func rate(addr string, loop func(string, *atomic.Bool) int) float64 {
	var stop atomic.Bool
	var total atomic.Int64
	var group sync.WaitGroup
	begin := time.Now()
	for range benchLoops {
		group.Go(func() { total.Add(int64(loop(addr, &stop))) })
	}
	time.Sleep(roundTime)
	stop.Store(true)
	group.Wait()
	return float64(total.Load()) / time.Since(begin).Seconds()
}

// benchServer runs a helper for a benchmark and returns its address.
func benchServer(b *testing.B, helper string) string {
	return e2etest.Start(b, helper, master.Config{Workers: 1}).Addr()
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
