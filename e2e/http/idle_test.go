//go:build linux

package http

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/rotahttp"
)

const idleConns = 10_000

// idlePlain is net/http without rota.
func idlePlain() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, e2etest.PlainReady(os.Getpid(), ln.Addr().String()))
	log.Fatal(http.Serve(ln, http.HandlerFunc(free)))
}

// idleLine is net/http with one line changed.
func idleLine() { log.Fatal(http.Serve(server.MustListen(), http.HandlerFunc(free))) }

func idleRotaHTTP() { mustLeave(rotahttp.ListenAndServe("127.0.0.1:0", http.HandlerFunc(free))) }

// free answers. For /free it first returns unused memory to the system.
func free(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/free" {
		debug.FreeOSMemory()
	}
	fmt.Fprintln(w, "hello")
}

// Ten thousand idle connections take at most 5 % more memory than with net/http alone, and
// a worker that has them ends. How long the drain takes is measured by BenchmarkMove of e2e/moves.
func TestManyIdleConnections(t *testing.T) {
	e2etest.SkipShort(t)
	mustHaveDescriptors(t, idleConns+1000)
	var plain int
	t.Run("idle-plain", func(t *testing.T) {
		used, hangUp := idleMemory(t, e2etest.Start(t, "idle-plain", server.Quick(1)))
		plain = used
		hangUp()
	})
	for _, helper := range []string{"idle-line", "idle-rotahttp"} {
		t.Run(helper, func(t *testing.T) {
			cfg := server.Quick(1)
			cfg.IdleGrace = time.Second
			used, took := idleDrain(t, e2etest.Start(t, helper, cfg))
			t.Logf("%d idle connections: %d MB, net/http alone has %d MB: %.3fx; the drain took %v",
				idleConns, used>>20, plain>>20, float64(used)/float64(plain), took)
			if float64(used) > 1.05*float64(plain) {
				t.Error("more than 5 % above net/http alone")
			}
		})
	}
}

// idleDrain returns the memory of a worker with idle connections, and how long it takes
// from a reload to its end.
func idleDrain(t *testing.T, p *e2etest.Process) (memory int, took time.Duration) {
	memory, hangUp := idleMemory(t, p)
	defer hangUp()
	old := p.Children()[0]
	begin := time.Now()
	p.Signal(syscall.SIGHUP)
	e2etest.WaitFor(t, "the old worker to be gone", func() bool { return !e2etest.Alive(old) })
	return memory, time.Since(begin) - e2etest.ExitTime
}

// idleMemory opens the connections, makes a request on each, and returns what memory
// the worker has then. They stay open until hangUp.
func idleMemory(t *testing.T, p *e2etest.Process) (bytes int, hangUp func()) {
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
				if c := idleConn(t, p.Addr()); c != nil {
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
		if _, err := e2etest.Request("tcp", p.Addr(), "/free"); err != nil {
			t.Fatal(err)
		}
	}
	return e2etest.ResidentKB(servingPID(p)) << 10, hangUp
}

func idleConn(t *testing.T, addr string) net.Conn {
	c, err := net.DialTimeout("tcp", addr, e2etest.Stuck)
	if err != nil {
		t.Error(err)
		return nil
	}
	if _, _, err := e2etest.NewConn(c).RoundTrip(e2etest.Get("/")); err != nil {
		t.Error(err)
	}
	return c
}

// servingPID returns the pid of the only worker, or of the process itself if it has none.
func servingPID(p *e2etest.Process) int {
	if workers := p.Children(); len(workers) > 0 {
		return workers[0]
	}
	return p.PID()
}

func mustHaveDescriptors(t *testing.T, n uint64) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < n {
		t.Skipf("needs %d descriptors, has %d (%v)", n, limit.Cur, err)
	}
}
