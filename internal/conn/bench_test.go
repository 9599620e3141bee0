//go:build unix

package conn

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkKeepAlive compares a net/http server behind rota's conns with one
// behind the net package's, in turn. It reports requests/s of the first as a part
// of the second's, the median of short rounds, and the same of requests per second
// of processor time (client and server), which other work on the machine disturbs less.
func BenchmarkKeepAlive(b *testing.B) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	ours := listenConns(b, "tcp")
	go http.Serve(plain, http.HandlerFunc(helloWorld))
	go http.Serve(ours, http.HandlerFunc(helloWorld))
	const conns, part = 16, 200
	var wall, cpu []float64
	var sum, busy time.Duration
	for b.Loop() {
		w1, c1 := measure(func() { connLoad(b, plain.Addr(), conns, part) })
		w2, c2 := measure(func() { connLoad(b, ours.Addr(), conns, 2*part) })
		w3, c3 := measure(func() { connLoad(b, plain.Addr(), conns, part) })
		wall = append(wall, float64(w1+w3)/float64(w2))
		cpu = append(cpu, float64(c1+c3)/float64(c2))
		sum, busy = sum+w2, busy+c2
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	n := float64(2 * conns * part * len(wall))
	b.ReportMetric(wall[len(wall)/2], "ratio")
	b.ReportMetric(cpu[len(cpu)/2], "cpu-ratio")
	b.ReportMetric(n/sum.Seconds(), "req/s")
	b.ReportMetric(float64(busy.Microseconds())/n, "cpu-us/req")
	b.ReportMetric(0, "ns/op")
}

func helloWorld(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") }

// measure returns how long f takes, by the clock and of this process's processor time.
func measure(f func()) (wall, cpu time.Duration) {
	start, before := time.Now(), cpuTime()
	f()
	return time.Since(start), cpuTime() - before
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// connLoad sends n requests on each of so many connections, one after the other,
// by a client that costs as little as possible.
func connLoad(tb testing.TB, addr net.Addr, conns, n int) {
	var wg sync.WaitGroup
	for range conns {
		wg.Go(func() {
			if err := connRequests(addr, n); err != nil {
				tb.Error(err)
			}
		})
	}
	wg.Wait()
}

func connRequests(addr net.Addr, n int) error {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	request := []byte("GET / HTTP/1.1\r\nHost: rota\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\n\r\n")
	br := bufio.NewReader(c)
	for range n {
		if _, err := c.Write(request); err != nil {
			return err
		}
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := br.Discard(13); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkConnRequest is the cost of rota's part alone: the conn's work for a
// request of net/http, over an inner conn that does nothing.
func BenchmarkConnRequest(b *testing.B) {
	request := []byte("GET / HTTP/1.1\r\nHost: rota\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 13\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello, world\n")
	for _, tracked := range []bool{false, true} {
		b.Run(fmt.Sprintf("tracked=%v", tracked), func(b *testing.B) {
			c := new(conn)
			c.init(nothingConn{}, newShared(), tracked)
			b.ReportAllocs()
			for b.Loop() {
				c.Read(request)
				c.Read(request[:1:1][:1])
				c.Write(answer)
			}
		})
	}
}

// A connection costs one allocation, and a request on it none.
func TestAllocations(t *testing.T) {
	if testing.CoverMode() != "" {
		t.Skip("counters of coverage may allocate")
	}
	inner, shared := new(net.TCPConn), newShared()
	var c net.Conn
	if n := testing.AllocsPerRun(100, func() { c, _ = New(inner, shared) }); n != 1 {
		t.Errorf("%v allocations a connection, want 1", n)
	}
	c, _ = NewTracked(nothingConn{}, shared)
	request := []byte(getRequest)
	answer := []byte(plainAnswer)
	if n := testing.AllocsPerRun(100, func() {
		c.SetReadDeadline(time.Time{})
		c.Read(request)
		c.Read(request[:1:1])
		c.Write(answer)
	}); n != 0 {
		t.Errorf("%v allocations a request, want none", n)
	}
}

type nothingConn struct{ net.Conn }

func (nothingConn) Read(p []byte) (int, error) {
	if len(p) == 1 {
		return 0, nil
	}
	return len(p), nil
}
func (nothingConn) Write(p []byte) (int, error)     { return len(p), nil }
func (nothingConn) SetReadDeadline(time.Time) error { return nil }
func (nothingConn) CloseRead() error                { return nil }
