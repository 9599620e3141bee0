//go:build linux

package e2etest

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Load is a number of loops that make requests, one after the other. No request is made
// twice: each that doesn't get a whole answer is counted as failed.
type Load struct {
	stop  chan struct{}
	group sync.WaitGroup

	mu          sync.Mutex
	answered    int
	refused     int // of the failures
	failures    []string
	generations map[string]int // requests that each generation has answered
}

// NewLoad returns a load without loops.
func NewLoad() *Load { return &Load{stop: make(chan struct{}), generations: map[string]int{}} }

// StartLoad starts loops over TCP that open a connection for each request.
func StartLoad(addr, path string, loops int) *Load { return StartLoadOn("tcp", addr, path, loops) }

// StartLoadOn is StartLoad on another network.
func StartLoadOn(network, addr, path string, loops int) *Load {
	l := NewLoad()
	l.Add(loops, func() (string, error) { return Request(network, addr, path) })
	return l
}

// StartKeepAlive starts loops that keep their connections, with a pause before each
// request. A client that knows that the server has ended its connection opens another.
func StartKeepAlive(addr, request string, loops int, pause time.Duration) *Load {
	l := NewLoad()
	l.AddKeepAlive(addr, request, loops, pause)
	return l
}

// Add adds loops. Each calls one, which makes a request and returns the body of the
// answer, until the load ends. If one returns ErrNoRequest, nothing is
// counted.
func (l *Load) Add(loops int, one func() (body string, err error)) {
	for range loops {
		l.group.Go(func() {
			for !l.stopped() {
				body, err := one()
				l.count(body, err)
			}
		})
	}
}

// ErrNoRequest is what the function of a loop returns if it has made no request.
var ErrNoRequest = errors.New("no request was made")

// AddKeepAlive adds the loops of StartKeepAlive.
func (l *Load) AddKeepAlive(addr, request string, loops int, pause time.Duration) {
	for range loops {
		l.group.Go(func() {
			c := &client{addr: addr}
			defer c.close()
			for !l.stopped() {
				time.Sleep(pause)
				l.count(c.do(request))
			}
		})
	}
}

// Kept returns a function that makes a request, and opens a connection at its first call alone. One that is
// closed, or whose answer says that it will be, is an error.
func Kept(addr, request string) func() (body string, err error) {
	var c *Conn
	return func() (string, error) {
		if c == nil {
			conn, err := net.DialTimeout("tcp", addr, Stuck)
			if err != nil {
				return "", err
			}
			c = NewConn(conn)
		}
		body, closes, err := c.RoundTrip(request)
		if err == nil && closes {
			err = errors.New("the server closes the connection")
		}
		return body, err
	}
}

func (l *Load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *Load) count(body string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.answered++
		if f := strings.Fields(body); len(f) > 1 && f[0] == "generation" {
			l.generations[f[1]]++
		}
	case errors.Is(err, ErrNoRequest):
	default:
		if errors.Is(err, syscall.ECONNREFUSED) {
			l.refused++
		}
		l.failures = append(l.failures, err.Error())
	}
}

// Answered returns how many requests have got a whole answer so far.
func (l *Load) Answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

// Goes waits until n more requests have been answered.
func (l *Load) Goes(t testing.TB, n int) {
	t.Helper()
	was := l.Answered()
	WaitFor(t, fmt.Sprintf("%d more answers", n), func() bool { return l.Answered() >= was+n }, l.String)
}

// AnsweredBy waits until a generation has a request of the load on path: it has answered
// one, or its handler says in the log of p that it has begun to.
func (l *Load) AnsweredBy(p *Process, path string, generation int) {
	p.t.Helper()
	begun := Handling(path) + strconv.Itoa(generation) + "\n"
	WaitFor(p.t, fmt.Sprintf("generation %d to have a request", generation), func() bool {
		return l.seen(generation) || p.Log.Count(begun) > 0
	}, p.Log.String)
}

func (l *Load) seen(generation int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.generations[strconv.Itoa(generation)] > 0
}

// Result is what became of the requests of a load.
type Result struct {
	Answered, Failed, Refused int
	Generations               int      // how many have answered
	First                     []string // the first failures, at most 5
}

// String returns the numbers of a result.
func (r Result) String() string {
	return fmt.Sprintf("%d requests: %d failed, %d refused; %d generations answered",
		r.Answered+r.Failed, r.Failed, r.Refused, r.Generations)
}

// End stops the loops, and returns when each has the answer to its last request.
func (l *Load) End() Result {
	close(l.stop)
	l.group.Wait()
	return l.result()
}

func (l *Load) result() Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.failures)
	return Result{l.answered, n, l.refused, len(l.generations), l.failures[:min(n, 5)]}
}

// String returns the numbers so far.
func (l *Load) String() string { return l.result().String() }

// MustBeWhole ends the load, logs its numbers, and fails the test if a request has failed
// or none was made.
func (l *Load) MustBeWhole(t testing.TB) Result {
	t.Helper()
	r := l.End()
	t.Log(r)
	if r.Failed > 0 {
		t.Errorf("%d of %d requests failed (%d refused); the first: %v", r.Failed, r.Answered+r.Failed, r.Refused, r.First)
	}
	if r.Answered == 0 {
		t.Error("no request was answered")
	}
	return r
}

// UnderLoad reloads p that many times while loops call one, whose error is a failure. It
// fails the test for any failure.
func UnderLoad(p *Process, loops, reloads int, one func() error) {
	p.t.Helper()
	l := NewLoad()
	l.Add(loops, func() (string, error) { return "", one() })
	for range reloads {
		p.Reload()
	}
	l.MustBeWhole(p.t)
}

// client is a client that keeps its connection.
type client struct {
	addr string
	conn *Conn
}

// do makes a request, on a new connection if the client has none that it can use.
func (c *client) do(request string) (body string, err error) {
	if c.conn == nil || hungUp(c.conn.Conn) {
		c.close()
		conn, err := net.DialTimeout("tcp", c.addr, Stuck)
		if err != nil {
			return "", err
		}
		c.conn = NewConn(conn)
	}
	body, closes, err := c.conn.RoundTrip(request)
	if err != nil || closes {
		c.close()
	}
	return body, err
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// hungUp reports whether the client can know that the server has ended c. A connection
// with something to read before a request was made is of no use either.
func hungUp(c net.Conn) (yes bool) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	_ = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = n >= 0 && err == nil || err != syscall.EAGAIN
	})
	return yes
}
