//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/rotahttp"
)

// Ten thousand idle keep-alive connections: what they cost, and how they end.

const idleConns = 10_000

func init() {
	helpers["idle-plain"] = func() {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "worker ready worker=0 pid=%d on=[%s]\n", os.Getpid(), ln.Addr())
		log.Fatal(http.Serve(ln, http.HandlerFunc(free)))
	}
	helpers["idle-line"] = func() {
		ln, err := rota.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		log.Fatal(http.Serve(ln, http.HandlerFunc(free)))
	}
	helpers["idle-rotahttp"] = func() {
		mustLeave(rotahttp.ListenAndServe("127.0.0.1:0", http.HandlerFunc(free)))
	}
}

// free answers, on /free when all memory that can be is given back.
func free(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/free" {
		debug.FreeOSMemory()
	}
	fmt.Fprintln(w, "hello")
}

func TestHTTPManyIdleConns(t *testing.T) {
	takesLong(t)
	mustHaveDescriptors(t, idleConns+1000)
	var plain int
	t.Run("idle-plain", func(t *testing.T) {
		used, hangUp := idleMemory(t, start(t, "idle-plain", quick(1)))
		plain = used
		hangUp()
	})
	for _, helper := range []string{"idle-line", "idle-rotahttp"} {
		t.Run(helper, func(t *testing.T) {
			cfg := quick(1)
			cfg.IdleGrace = time.Second
			for try := 0; ; try++ { // other work on the machine may take a second
				used, took := idleDrain(t, start(t, helper, cfg))
				t.Logf("%d idle connections: %d MB, net/http alone has %d MB: %.3fx; the drain took %v",
					idleConns, used>>20, plain>>20, float64(used)/float64(plain), took)
				if float64(used) > 1.05*float64(plain) {
					t.Error("more than 5 % above net/http alone")
				}
				if took <= cfg.IdleGrace+time.Second {
					return
				}
				if try == 2 {
					t.Fatalf("the drain never took %v at most", cfg.IdleGrace+time.Second)
				}
			}
		})
	}
}

// idleDrain returns the memory of a worker with idle connections, and how long it takes
// from a reload to its end.
func idleDrain(t *testing.T, p *process) (memory int, took time.Duration) {
	memory, hangUp := idleMemory(t, p)
	defer hangUp()
	old := p.living()[0]
	begin := time.Now()
	p.signal(syscall.SIGHUP)
	waitFor(t, "the old worker to be gone", func() bool { return !alive(old) })
	return memory, time.Since(begin) - exitTime
}

// idleMemory opens the connections, makes a request on each, and returns what memory
// the worker has then. They stay open until hangUp.
func idleMemory(t *testing.T, p *process) (bytes int, hangUp func()) {
	conns := make(chan net.Conn, idleConns)
	hangUp = func() {
		close(conns)
		for c := range conns {
			_ = c.Close()
		}
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range idleConns / 50 {
				if c := idleConn(t, p.addr()); c != nil {
					conns <- c
				}
			}
		})
	}
	group.Wait()
	if len(conns) != idleConns {
		t.Fatalf("%d connections", len(conns))
	}
	for range 2 {
		if _, err := request("tcp", p.addr(), "/free"); err != nil {
			t.Fatal(err)
		}
	}
	return residentMemory(t, p.servingPID()), hangUp
}

func idleConn(t *testing.T, addr string) net.Conn {
	c, err := net.DialTimeout("tcp", addr, stuck)
	if err != nil {
		t.Error(err)
		return nil
	}
	if _, _, err := roundTrip(c, bufio.NewReaderSize(c, 512), getRequest("/")); err != nil {
		t.Error(err)
	}
	return c
}

// servingPID is the only worker, or the process itself where it has none.
func (p *process) servingPID() int {
	if workers := p.living(); len(workers) > 0 {
		return workers[0]
	}
	return p.pid()
}

func residentMemory(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func mustHaveDescriptors(t *testing.T, n uint64) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < n {
		t.Skipf("needs %d descriptors, has %d (%v)", n, limit.Cur, err)
	}
}
