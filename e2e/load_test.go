//go:build linux

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// load is a closed loop of connections to one address. Its client never retries:
// every request that did not get a whole answer is counted.
type load struct {
	network, addr, path string
	stop                chan struct{}
	group               sync.WaitGroup

	mu          sync.Mutex
	answered    int
	refused     int
	failures    []string
	generations map[string]int
}

// startLoad opens a number of closed loops, one request a connection.
func startLoad(addr, path string, loops int) *load {
	l := &load{network: "tcp", addr: addr, path: path, stop: make(chan struct{}), generations: map[string]int{}}
	for range loops {
		l.group.Add(1)
		go l.loop()
	}
	return l
}

func (l *load) loop() {
	defer l.group.Done()
	for {
		select {
		case <-l.stop:
			return
		default:
			body, err := request(l.network, l.addr, l.path)
			l.count(body, err)
		}
	}
}

func (l *load) count(body string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.answered++
		if f := strings.Fields(body); len(f) > 1 {
			l.generations[f[1]]++
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		l.refused++
		l.failures = append(l.failures, err.Error())
	default:
		l.failures = append(l.failures, err.Error())
	}
}

// end stops the loops when each has its last answer.
func (l *load) end() {
	close(l.stop)
	l.group.Wait()
}

// mustBeWhole ends the load and fails the test for any request that got no whole
// answer. The total is printed.
func (l *load) mustBeWhole(t *testing.T) {
	t.Helper()
	l.end()
	t.Log(l)
	if len(l.failures) > 0 {
		t.Errorf("%d of %d requests failed (%d refused); the first: %v", len(l.failures),
			l.answered+len(l.failures), l.refused, l.failures[:min(len(l.failures), 5)])
	}
	if l.answered == 0 {
		t.Error("no request was answered at all")
	}
}

func (l *load) String() string {
	gens := make([]string, 0, len(l.generations))
	for g := range l.generations {
		gens = append(gens, g)
	}
	sort.Strings(gens)
	return fmt.Sprintf("%d requests: %d failed, %d refused; %d generations answered",
		l.answered+len(l.failures), len(l.failures), l.refused, len(gens))
}

// request makes one request on a connection of its own and returns the body of a
// whole answer with status 200.
func request(network, addr, path string) (string, error) {
	c, err := net.DialTimeout(network, addr, stuck)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return exchange(c, bufio.NewReader(c), path, "Connection: close\r\n")
}

// exchange makes one request on c.
func exchange(c net.Conn, r *bufio.Reader, path, headers string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(stuck))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: e2e\r\n%s\r\n", path, headers); err != nil {
		return "", fmt.Errorf("write: %w", err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", fmt.Errorf("read head: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // an error if it is shorter than it says
	if err != nil {
		return "", fmt.Errorf("read body: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s: %s", resp.Status, body)
	}
	return string(body), nil
}
