//go:build linux

package moves

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// floor is a plain net/http server, whose answer is how many connections it has.
func floor() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, e2etest.PlainReady(os.Getpid(), ln.Addr().String()))
	var open atomic.Int64
	count := func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	answer := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, open.Load()) }
	_ = (&http.Server{Handler: http.HandlerFunc(answer), ConnState: count}).Serve(ln)
}

// measureFloor measures a plain server, to which nothing moves: processor time of accepting n
// connections, up to the Read that waits, and of ending them when their clients have gone. The server
// is stopped meanwhile, so that it meets many at a time, as a worker meets those that move.
func measureFloor(b *testing.B, n int) {
	b.Helper()
	p := e2etest.Start(b, "floor", server.Quick(1))
	ask, all := newCrowd(b, p.Addr(), 1), &crowd{}
	before := e2etest.CPUTime(p.PID())
	for len(all.conns) < n {
		p.Signal(syscall.SIGSTOP)
		all.conns = append(all.conns, newCrowd(b, p.Addr(), min(n-len(all.conns), 2500)).conns...) // less than the queue of a socket
		p.Signal(syscall.SIGCONT)
		awaitOpen(b, ask, len(all.conns)+1)
	}
	accepted := e2etest.CPUTime(p.PID()) - before
	all.ask(b)
	before = e2etest.CPUTime(p.PID())
	p.Signal(syscall.SIGSTOP)
	all.close()
	p.Signal(syscall.SIGCONT)
	awaitOpen(b, ask, 1)
	ended := e2etest.CPUTime(p.PID()) - before
	b.Logf("%.1f us a connection of a plain server (accepted %.1f, ended %.1f)", us(accepted+ended, n), us(accepted, n), us(ended, n))
}

// close closes the connections.
func (c *crowd) close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// awaitOpen waits until a server of floor has n connections.
func awaitOpen(b *testing.B, ask *crowd, n int) {
	b.Helper()
	e2etest.WaitFor(b, "the count of connections", func() bool {
		time.Sleep(10 * time.Millisecond) // each question costs the server some time
		return ask.ask(b)[strconv.Itoa(n)+"\n"] == 1
	})
}

// us returns the microseconds of d for each of n.
func us(d time.Duration, n int) float64 { return float64(d) / 1e3 / float64(n) }
