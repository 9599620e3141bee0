//go:build linux

package master

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// hostileEnv has the control socket in the process that plays hostile clients.
const hostileEnv = "ROTA_TEST_HOSTILE"

// hostile are the clients of a control socket. Each function is called again and again by many goroutines. It returns the connection
// if that is to stay open, and whether the master has answered.
var hostile = map[string]struct {
	many int
	play func(path string, n int) (net.Conn, bool)
}{
	computes: {4, func(string, int) (net.Conn, bool) {
		for end := time.Now().Add(time.Millisecond); time.Now().Before(end); {
		}
		return nil, true
	}},
	"garbage": {8, func(path string, _ int) (net.Conn, bool) {
		return nil, exchange(path, "GET / HTTP/1.1\r\n\r\n\x00{{{{"+strings.Repeat("x", 3000))
	}},
	"1000 clients at once": {1000, func(path string, n int) (net.Conn, bool) {
		return nil, exchange(path, []string{`{"do":"status"}`, `{"do":"watch"}`}[n%2]+"\n")
	}},
	"clients that never read": {64, func(path string, n int) (net.Conn, bool) {
		c, err := net.Dial("unix", path)
		if err != nil {
			return nil, false
		}
		_, err = c.Write([]byte([]string{`{"do":"status"}`, `{"do":"watch"}`}[n%2] + "\n"))
		return c, err == nil
	}},
}

// exchange sends a request, reads one line, and reports whether one has come.
func exchange(path, request string) bool {
	c, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = c.Write([]byte(request))
	_, err = bufio.NewReader(c).ReadString('\n')
	return err == nil
}

// TestHostile is the process of the clients, of the lowest priority, so that a master isn't slowed down by what the clients
// themselves compute. A line of its standard input tells it to begin, and the next to end; it answers each, the second by how often
// the clients have played since they began.
func TestHostile(t *testing.T) {
	kind, path, ok := strings.Cut(os.Getenv(hostileEnv), "=")
	if !ok {
		t.Skip("a helper of TestAskBesideClients")
	}
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		var tid int
		_, _ = fmt.Sscan(task.Name(), &tid)
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, tid, 19)
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		end := playHostile(kind, path)
		fmt.Println(0)
		in.Scan()
		fmt.Println(end())
	}
}

// playHostile lets the clients of a kind begin, and returns when some have been answered.
func playHostile(kind, path string) (end func() int64) {
	var stop atomic.Bool
	var played atomic.Int64
	var all sync.WaitGroup
	h, ok := hostile[kind]
	if !ok {
		panic("no such clients: " + kind)
	}
	for n := range h.many {
		all.Go(func() {
			for !stop.Load() {
				c, ok := h.play(path, n)
				if ok {
					played.Add(1)
				}
				if c != nil {
					defer c.Close()
					return
				}
			}
		})
	}
	for played.Load() < int64(min(h.many, 64)) {
		time.Sleep(time.Millisecond)
	}
	played.Store(0)
	return func() int64 {
		stop.Store(true)
		n := played.Load()
		all.Wait()
		return n
	}
}

// clients are hostile clients that begin and end when they are told to. end returns how often they were answered in between.
type clients struct {
	begin func()
	end   func() float64
}

// inProcess starts a process that plays a kind of clients.
func inProcess(t testing.TB, kind, path string) clients {
	cmd := exec.Command(os.Args[0], "-test.run=^TestHostile$")
	cmd.Env = append(os.Environ(), hostileEnv+"="+kind+"="+path)
	in, err := cmd.StdinPipe()
	e2etest.NoError(t, err)
	out, err := cmd.StdoutPipe()
	e2etest.NoError(t, err)
	e2etest.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	tell := func() (n float64) {
		_, _ = io.WriteString(in, "go\n")
		if !lines.Scan() {
			t.Fatalf("the process of the clients has ended: %v", lines.Err())
		}
		_, _ = fmt.Sscan(lines.Text(), &n)
		return n
	}
	return clients{func() { tell() }, tell}
}

// unread are readers of Watch that never read.
func unread(m *Master) clients {
	cancel := func() {}
	return clients{func() {
		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		for range 16 {
			_ = m.Watch(ctx)
		}
	}, func() float64 { cancel(); return 0 }}
}

// delays are what of a hundred times one was longer than, in µs, and the processor time of this process and the answers to
// clients a second, of one phase.
type delays struct{ ask, loop, cpu, answers float64 }

// phase measures a master for a while, in which its workers change now and then.
func phase(t testing.TB, m *Master, a asker) delays {
	const asks = 300
	var took, waits []time.Duration
	begin, used := time.Now(), processorTime()
	for n := range asks {
		if n%20 == 0 {
			_ = m.Scale(20 + n/20%2) // those that watch are told
		}
		took = append(took, a.ask(t))
		posted := time.Now()
		_ = m.loop.Ask(func(*loop) error { waits = append(waits, time.Since(posted)); return nil })
		time.Sleep(200 * time.Microsecond)
	}
	slices.Sort(took)
	slices.Sort(waits)
	const p99 = asks * 99 / 100
	return delays{took[p99].Seconds() * 1e6, waits[p99].Seconds() * 1e6, (processorTime() - used).Seconds() / time.Since(begin).Seconds(), 0}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// beside measures a master in turns with and without a kind of clients.
func beside(t testing.TB, kind string, rounds int) (with, without []delays) {
	m, o, path := controlled(t, 20)
	a := newAsker(t, m, o)
	c := unread(m)
	if kind != neverRead {
		c = inProcess(t, kind, path)
	}
	phase(t, m, a) // the first is slower
	for range rounds {
		without = append(without, phase(t, m, a))
		c.begin()
		began := time.Now()
		d := phase(t, m, a)
		d.answers = c.end() / time.Since(began).Seconds()
		with = append(with, d)
		time.Sleep(50 * time.Millisecond) // the master notices that they have gone
	}
	return with, without
}

const (
	neverRead = "a Watch that nobody reads"
	computes  = "a process that only computes"
)

func kindsOfClients() []string {
	all := []string{neverRead}
	for name := range hostile {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func pick(all []delays, f func(delays) float64) (of []float64) {
	for _, d := range all {
		of = append(of, f(d))
	}
	return of
}

// Whatever clients of the control socket do, and those that watch, a worker that asks for a socket gets it as soon as without
// them. This finds a loop that waits for a client: it does so in each round, while a busy machine holds it up in some. How
// long it takes is for the benchmark. That what is done for clients is bounded, whatever their number, the tests of the
// control server count. The race detector watches one round.
func TestAskBesideClients(t *testing.T) {
	for _, kind := range kindsOfClients() {
		if kind == computes {
			continue // it is for the benchmark
		}
		t.Run(kind, func(t *testing.T) {
			rounds := 3
			if e2etest.RaceDetector {
				rounds = 1
			}
			with, without := beside(t, kind, rounds)
			x, y := pick(with, func(d delays) float64 { return d.loop }), pick(without, func(d delays) float64 { return d.loop })
			t.Logf("p99 of the wait for the loop: %.0f µs beside them, %.0f µs without", e2etest.Median(x), e2etest.Median(y))
			if least := slices.Min(x); !e2etest.RaceDetector && least > 5000 && least > 5*slices.Max(y) {
				t.Errorf("the loop is delayed: %.0f µs beside them, %.0f µs without", x, y)
			}
		})
	}
}

// The ratios of the 99th percentiles with clients to those without, measured in turns, and what
// the clients cost of the master's processor time. The process that only computes shows what is due to the processors.
func BenchmarkAskBesideClients(b *testing.B) {
	for _, kind := range kindsOfClients() {
		b.Run(strings.ReplaceAll(kind, " ", "_"), func(b *testing.B) {
			with, without := beside(b, kind, 25)
			b.ReportMetric(0, "ns/op")
			for unit, f := range map[string]func(delays) float64{
				"ask":  func(d delays) float64 { return d.ask },
				"loop": func(d delays) float64 { return d.loop },
			} {
				x, y := pick(with, f), pick(without, f)
				r := e2etest.PairedRatio(x, y)
				b.ReportMetric(r.Median, unit+"-ratio")
				b.ReportMetric(e2etest.Median(x), unit+"-µs-with")
				b.ReportMetric(e2etest.Median(y), unit+"-µs-without")
				b.Logf("%s: p99 %.2f times (%.2f to %.2f)", unit, r.Median, r.From, r.To)
			}
			cpu := func(d delays) float64 { return 100 * d.cpu }
			b.ReportMetric(e2etest.Median(pick(with, cpu)), "%cpu-with")
			b.ReportMetric(e2etest.Median(pick(without, cpu)), "%cpu-without")
			b.ReportMetric(e2etest.Median(pick(with, func(d delays) float64 { return d.answers })), "answers/s")
		})
	}
}
