//go:build linux

package spread

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// What several workers cost, and how evenly they share, in each spread, against one plain
// process with as many processors, a SO_REUSEPORT socket of each worker's own, and nginx where it
// is installed. Run it alone on the machine:
//
//	go test ./e2e/spread -run '^$' -bench Spread -benchtime 1x -timeout 30m

const (
	slices100 = 60                     // of each side
	slice     = 100 * time.Millisecond // one side at a time, in random order
	atOnce    = 16                     // connections
	moderate  = 1500                   // connections a second
	held      = 400                    // connections that stay open
	heldTime  = 5 * time.Second        // in which they are opened
)

// plain is a server that rota has no part in.
func plain() { servePlain(net.ListenConfig{}, "127.0.0.1:0") }

// plainReusePort is one of several processes, each with a socket of its own.
func plainReusePort() { servePlain(net.ListenConfig{Control: reuse}, os.Getenv(e2etest.FlagsEnv)) }

func servePlain(lc net.ListenConfig, addr string) {
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	if err == nil {
		fmt.Fprintln(os.Stderr, e2etest.PlainReady(os.Getpid(), ln.Addr().String()))
	}
	serve(ln, err)
}

// brief is plain with one line changed.
func brief() { serve(rota.Listen("tcp", "127.0.0.1:0")) }

// reusePort has a socket of each worker's own.
func reusePort() {
	lc := rota.ListenConfig{Exclusive: true, Control: reuse}
	serve(lc.Listen(context.Background(), "tcp", os.Getenv(e2etest.FlagsEnv)))
}

func serve(ln net.Listener, err error) {
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(pid)))
}

func reuse(_, _ string, c syscall.RawConn) (err error) {
	_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return err
}

// pid is a handler that does almost nothing.
func pid(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, os.Getpid()) }

// side is a server that is measured.
type side struct {
	name, addr string
	pids       []int // that serve

	rates, cpu, switches []float64 // of each slice: connections a second, ns and context switches a connection
	fair, fairHeld, late float64
	moderate             float64 // ns a connection at a moderate rate
}

func startSides(b *testing.B, n int) []*side {
	one, free := "GOMAXPROCS=1", e2etest.FreeAddress(b)
	cfg := func(s master.Spread) master.Config { return master.Config{Workers: n, MinUptime: -1, Spread: s} }
	all := []*side{
		newSide("plain", "", e2etest.Start(b, "plain", master.Config{Workers: 1}, fmt.Sprint("GOMAXPROCS=", n))),
		newSide("plain, again", "", e2etest.Start(b, "plain", master.Config{Workers: 1}, fmt.Sprint("GOMAXPROCS=", n))),
		newSide("rota", "", e2etest.Start(b, "brief", cfg(0), one)),
		newSide("rota, shared", "", e2etest.Start(b, "brief", cfg(master.SpreadShared), one)),
		newSide("rota, slots", "", e2etest.Start(b, "brief", cfg(master.SpreadSlots), one)),
		newSide("a SO_REUSEPORT socket a worker", free, e2etest.Start(b, "reuseport", cfg(0), one, e2etest.FlagsEnv+"="+free)),
	}
	all = append(all, startPlain(b, n))
	if s := startNginx(b, n); s != nil {
		all = append(all, s)
	}
	return all
}

// startPlain is what several processes cost without rota.
func startPlain(b *testing.B, n int) *side {
	s := &side{name: "plain, a SO_REUSEPORT socket a process", addr: e2etest.FreeAddress(b)}
	for range n {
		p := e2etest.Start(b, "plain reuseport", master.Config{Workers: 1}, "GOMAXPROCS=1", e2etest.FlagsEnv+"="+s.addr)
		s.pids = append(s.pids, p.PID())
	}
	return s
}

func newSide(name, addr string, p *e2etest.Process) *side {
	s := &side{name: name, addr: addr, pids: p.Children()}
	if addr == "" {
		s.addr = p.Addr()
	}
	if len(s.pids) == 0 {
		s.pids = []int{p.PID()}
	}
	return s
}

const nginxConf = `worker_processes %d; daemon off; pid %s/pid; error_log /dev/null; worker_rlimit_nofile 8192;
events { worker_connections 2048; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path %[2]s/b; proxy_temp_path %[2]s/p; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
server { listen %s reuseport; location / { return 200 "$pid\n"; } } }
`

// startNginx returns nil where it is not installed.
func startNginx(b *testing.B, n int) *side {
	exe, err := exec.LookPath("nginx")
	if err != nil {
		return nil
	}
	dir, addr := b.TempDir(), e2etest.FreeAddress(b)
	conf := filepath.Join(dir, "conf")
	e2etest.NoError(b, os.WriteFile(conf, fmt.Appendf(nil, nginxConf, n, dir, addr), 0o600))
	cmd := exec.Command(exe, "-c", conf, "-e", "/dev/null")
	e2etest.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	s := &side{name: "nginx, reuseport", addr: addr}
	e2etest.WaitFor(b, "nginx", func() bool {
		_, err := ask1(addr)
		s.pids = e2etest.ChildrenNamed(cmd.Process.Pid, "nginx")
		return err == nil && len(s.pids) == n
	})
	return s
}

const request = "GET / HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n\r\n"

// ask1 makes one request on a connection of its own, and returns which process has answered. It
// does little, because the client shares the machine.
func ask1(addr string) (pid string, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return answer(c, request, true)
}

func answer(c net.Conn, request string, whole bool) (pid string, err error) {
	_ = c.SetDeadline(time.Now().Add(e2etest.Stuck))
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	var buf [1024]byte
	n := 0
	for n == 0 || whole {
		k, err := c.Read(buf[n:])
		if n += k; err != nil {
			break
		}
	}
	f := strings.Fields(string(buf[:n]))
	if len(f) < 3 || f[1] != "200" {
		return "", fmt.Errorf("no answer: %q", buf[:n])
	}
	return f[len(f)-1], nil
}

// asker returns what one of the loops does again and again. It is called once for each loop.
type asker func(addr string) (ask func() error, end func())

// once makes each request on a connection of its own.
func once(addr string) (ask func() error, end func()) {
	return func() error { _, err := ask1(addr); return err }, func() {}
}

// kept makes all requests on one connection.
func kept(addr string) (ask func() error, end func()) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return func() error { return err }, func() {}
	}
	conn := e2etest.NewConn(c)
	return func() error { _, _, err := conn.RoundTrip(e2etest.Get("/")); return err }, func() { _ = c.Close() }
}

// measure runs loops for a slice.
func (s *side) measure(b *testing.B, loops []func() error, keep bool) {
	var stop atomic.Bool
	var total atomic.Int64
	var group sync.WaitGroup
	begin, cpu, switches := time.Now(), sum(s.pids, processorTime), sum(s.pids, contextSwitches)
	for _, ask := range loops {
		group.Go(func() {
			for !stop.Load() {
				if err := ask(); err != nil {
					b.Error(s.name, err)
					return
				}
				total.Add(1)
			}
		})
	}
	time.Sleep(slice)
	stop.Store(true)
	group.Wait()
	n := float64(total.Load())
	if !keep || n == 0 {
		return
	}
	s.rates = append(s.rates, n/time.Since(begin).Seconds())
	s.cpu = append(s.cpu, float64(sum(s.pids, processorTime)-cpu)/n)
	s.switches = append(s.switches, float64(sum(s.pids, contextSwitches)-switches)/n)
}

func sum(pids []int, of func(task string) int64) (n int64) {
	for _, pid := range pids {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		for _, t := range tasks {
			n += of(t)
		}
	}
	return n
}

// processorTime returns the ns of a thread.
func processorTime(task string) (ns int64) {
	text, _ := os.ReadFile(task + "/schedstat")
	_, _ = fmt.Sscan(string(text), &ns)
	return ns
}

func contextSwitches(task string) (n int64) {
	text, _ := os.ReadFile(task + "/status")
	for line := range strings.Lines(string(text)) {
		var k int64
		if _, value, ok := strings.Cut(line, "voluntary_ctxt_switches:"); ok { // and nonvoluntary
			_, _ = fmt.Sscan(value, &k)
			n += k
		}
	}
	return n
}

// atRate calls f at a rate, for d, each time on a goroutine of its own, and waits for all.
func atRate(rate int, d time.Duration, f func()) {
	var group sync.WaitGroup
	defer group.Wait()
	begin := time.Now()
	for i := 0; ; i++ {
		at := begin.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if at.Sub(begin) >= d {
			return
		}
		time.Sleep(time.Until(at))
		group.Go(f)
	}
}

// fairness returns the connections of the busiest worker for each of the idlest.
func (s *side) fairness(by map[string]int) float64 {
	if len(by) < len(s.pids) {
		return math.Inf(1)
	}
	return float64(slices.Max(slices.Collect(maps.Values(by)))) / float64(slices.Min(slices.Collect(maps.Values(by))))
}

func (s *side) measureFairness(b *testing.B) {
	var mu sync.Mutex
	by := map[string]int{}
	count := func(pid string, err error) {
		mu.Lock()
		defer mu.Unlock()
		by[pid]++
		if err != nil {
			b.Error(s.name, err)
		}
	}
	cpu := sum(s.pids, processorTime)
	atRate(moderate, 3*time.Second, func() { count(ask1(s.addr)) })
	s.moderate = float64(sum(s.pids, processorTime)-cpu) / (3 * moderate)
	s.fair = s.fairness(by)
	by = map[string]int{}
	keep := make(chan net.Conn, held+10)
	atRate(held*int(time.Second)/int(heldTime), heldTime, func() {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			b.Error(s.name, err)
			return
		}
		keep <- c
		count(answer(c, e2etest.Get("/"), false))
	})
	close(keep)
	for c := range keep {
		_ = c.Close()
	}
	s.fairHeld = s.fairness(by)
}

// measureStop stops a worker for a second, and finds the share of connections that waited.
func (s *side) measureStop(b *testing.B) {
	if len(s.pids) == 1 {
		s.late = math.NaN()
		return
	}
	var all, late atomic.Int64
	victim := s.pids[len(s.pids)/2]
	e2etest.StandStill(b, victim)
	time.AfterFunc(time.Second, func() { _ = syscall.Kill(victim, syscall.SIGCONT) })
	atRate(moderate, time.Second, func() {
		begun := time.Now()
		if _, err := ask1(s.addr); err != nil {
			b.Error(s.name, err)
		}
		all.Add(1)
		if time.Since(begun) > 100*time.Millisecond {
			late.Add(1)
		}
	})
	s.late = float64(late.Load()) / float64(all.Load())
}

// ratio returns the ratio of paired slices, with its interval.
func ratio(ours, theirs []float64) string {
	r := e2etest.PairedRatio(ours, theirs)
	return fmt.Sprintf("%.2f (%.2f to %.2f)", r.Median, r.From, r.To)
}

// inTurn measures all sides in slices, in random order, with n loops each.
func inTurn(b *testing.B, all []*side, n int, loop asker) {
	loops := make([][]func() error, len(all))
	for i, s := range all {
		for range n {
			ask, end := loop(s.addr)
			defer end()
			loops[i] = append(loops[i], ask)
		}
	}
	for i := range slices100 + 3 {
		for _, k := range rand.Perm(len(all)) {
			all[k].measure(b, loops[k], i >= 3) // the first ones warm up
		}
	}
}

// BenchmarkKeptAlive prints what requests cost with eight workers, on connections that stay open.
func BenchmarkKeptAlive(b *testing.B) {
	for _, n := range []int{atOnce, 4 * atOnce} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				benchKept(b, n)
			}
		})
	}
}

func benchKept(b *testing.B, n int) {
	all := startSides(b, 8)
	inTurn(b, all, n, kept)
	text := fmt.Sprintf("\n| %d connections, 8 workers | requests a second | processor time a request | context switches |\n| --- | ---: | ---: | ---: |\n", n)
	for _, s := range all {
		text += fmt.Sprintf("| %s | %s | %s | %.2f |\n", s.name, ratio(s.rates, all[0].rates), ratio(s.cpu, all[0].cpu), e2etest.Median(s.switches))
	}
	fmt.Printf("plain: %.0f requests a second, %.1f us each%s\n", e2etest.Median(all[0].rates), e2etest.Median(all[0].cpu)/1e3, text)
}

// BenchmarkSpread prints a table for two workers and one for eight.
func BenchmarkSpread(b *testing.B) {
	for _, n := range []int{2, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				benchSpread(b, n)
			}
		})
	}
}

func benchSpread(b *testing.B, n int) {
	all := startSides(b, n)
	inTurn(b, all, atOnce, once)
	for _, k := range rand.Perm(len(all)) {
		all[k].measureFairness(b)
		all[k].measureStop(b)
	}
	text := fmt.Sprintf("\n| %[1]d workers | connections a second | processor time a connection | context switches | processor time at %[2]d/s | fair at %[2]d/s | fair, held | over 100 ms |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n", n, moderate)
	for _, s := range all {
		text += fmt.Sprintf("| %s | %s | %s | %.1f | %.2f | %.1f | %.1f | %.1f %% |\n", s.name,
			ratio(s.rates, all[0].rates), ratio(s.cpu, all[0].cpu), e2etest.Median(s.switches), s.moderate/all[0].moderate, s.fair, s.fairHeld, 100*s.late)
	}
	fmt.Printf("plain: %.0f connections a second, %.0f us each%s\n", e2etest.Median(all[0].rates), e2etest.Median(all[0].cpu)/1e3, text)
}
