package worker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkKeepAlive compares a net/http server behind rota's conns with one
// behind the net package's, in turn, and reports requests/s of the first as a
// part of the second's: the median of short rounds, as other things go on here.
func BenchmarkKeepAlive(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello, world\n") })
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	ours := listenConns(b, "tcp")
	go http.Serve(plain, h)
	go http.Serve(ours, h)
	const part = 200
	var ratios []float64
	var sum time.Duration
	for b.Loop() {
		first := connLoad(b, plain.Addr(), 16, part)
		second := connLoad(b, ours.Addr(), 16, part)
		third := connLoad(b, plain.Addr(), 16, part)
		ratios = append(ratios, float64(first+third)/2/float64(second))
		sum += second
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(part*16*len(ratios))/sum.Seconds(), "req/s")
	b.ReportMetric(0, "ns/op")
}

// connLoad sends n requests on each of so many connections, one after the other,
// by a client that costs as little as possible.
func connLoad(tb testing.TB, addr net.Addr, conns, n int) time.Duration {
	var wg sync.WaitGroup
	start := time.Now()
	for range conns {
		wg.Go(func() {
			if err := connRequests(addr, n); err != nil {
				tb.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
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
			c.init(nothingConn{}, &watch{draining: new(atomic.Bool)}, !tracked)
			b.ReportAllocs()
			for b.Loop() {
				c.Read(request)
				c.Read(request[:1:1][:1])
				c.Write(answer)
			}
		})
	}
}

type nothingConn struct{ net.Conn }

func (nothingConn) Read(p []byte) (int, error) {
	if len(p) == 1 {
		return 0, nil
	}
	return len(p), nil
}
func (nothingConn) Write(p []byte) (int, error) { return len(p), nil }
