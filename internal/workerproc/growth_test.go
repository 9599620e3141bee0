package workerproc

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/conn"
)

// BenchmarkDrainTick prints what a tick of a drain costs for each connection, against how many
// there are. It is the same for all numbers: a drain that lasts for IdleGrace, 50 ticks, costs at
// most 20 us a connection if a tick costs at most 400 ns.
func BenchmarkDrainTick(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := newDrain(new(atomic.Int64))
			shared := &conn.Shared{Draining: &d.draining, Limiter: &d.limiter, Closed: d.removeConn, Mover: &d.mover}
			for range n {
				program, tracked := conn.NewTracked(idleConn{}, shared)
				program.Read(make([]byte, 100))
				program.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
				d.addConn(tracked)
			}
			d.draining.Store(true)
			for b.Loop() {
				d.tick(1, 1<<30)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/conn")
		})
	}
}

// idleConn is a connection on which a request is read at once.
type idleConn struct{ net.Conn }

func (idleConn) Read(p []byte) (int, error)      { return copy(p, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), nil }
func (idleConn) Write(p []byte) (int, error)     { return len(p), nil }
func (idleConn) SetReadDeadline(time.Time) error { return nil }
func (idleConn) CloseRead() error                { return nil }
