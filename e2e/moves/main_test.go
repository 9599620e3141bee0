//go:build linux

package moves

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
)

func TestMain(m *testing.M) {
	os.Exit(e2etest.Main(m, rota.Setup, map[string]func(){
		"serve":                server.Serve,
		"opaque":               opaque,
		"dies-second":          diesSecond,
		"few-descriptors":      fewDescriptors,
		"count":                count,
		"count-dies-second":    countDiesSecond,
		"floor":                floor,
		"patient":              patient,
		"remember":             remember,
		"remember-dies-second": rememberDiesSecond,
	}))
}

// opaque is server.Serve on a listener whose connections aren't looked at.
func opaque() {
	lc := rota.ListenConfig{Opaque: true}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

// diesSecond is server.Serve, except that the new worker of the second slot dies during its
// trial.
func diesSecond() {
	if w := worker.Self(); w != nil && w.Generation() == 2 && w.Slot() == 1 {
		time.AfterFunc(100*time.Millisecond, func() { os.Exit(4) })
	}
	server.Serve()
}

// fewDescriptors is server.Serve in a process that may open 80 descriptors, and from the
// second generation on 40.
func fewDescriptors() {
	limit := syscall.Rlimit{Cur: 80, Max: 1000}
	if w := worker.Self(); w != nil && w.Generation() > 1 {
		limit.Cur = 40
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		log.Fatal(err)
	}
	server.Serve()
}

// crowd is clients that each keep one connection.
type crowd struct {
	conns []*e2etest.Conn
}

func newCrowd(t testing.TB, addr string, n int) *crowd {
	t.Helper()
	c := &crowd{}
	for range n {
		conn, err := net.DialTimeout("tcp", addr, e2etest.Stuck)
		e2etest.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		c.conns = append(c.conns, e2etest.NewConn(conn))
	}
	return c
}

// ask makes a request on every connection, and returns how many each body answers. A
// connection that is closed, or is about to be, fails the test.
func (c *crowd) ask(t testing.TB) map[string]int {
	t.Helper()
	var mu sync.Mutex
	bodies, errs := map[string]int{}, map[string]int{}
	var loops sync.WaitGroup
	for n := range 4 {
		loops.Go(func() {
			for i := n; i < len(c.conns); i += 4 {
				body, closes, err := c.conns[i].RoundTrip(e2etest.Get("/"))
				if closes {
					err = io.EOF
				}
				mu.Lock()
				if bodies[body]++; err != nil {
					errs[err.Error()]++
				}
				mu.Unlock()
			}
		})
	}
	loops.Wait()
	if len(errs) > 0 {
		t.Errorf("of %d connections: %v", len(c.conns), errs)
	}
	return bodies
}

// keepers is a load of clients that never open a second connection: one that is closed, or
// whose answer says that it will be, is a failure.
func keepers(load *e2etest.Load, addr, request string, n int, pause time.Duration) {
	for range n {
		one := e2etest.Kept(addr, request)
		load.Add(1, func() (string, error) {
			time.Sleep(pause)
			return one()
		})
	}
}
