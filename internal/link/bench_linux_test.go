//go:build linux

package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/rota-go/rota/internal/wire"
)

// small is a message as programs send many of.
var small = []byte(`{"kind":"stats","requests":123456,"bytes":7890123,"slot":3}`)

func init() { helpers["mirror"] = helpMirror }

func helpMirror() int {
	_, link, ok, err := Inherit()
	if !ok || err != nil {
		fmt.Fprintln(os.Stderr, "mirror:", ok, err)
		return 1
	}
	mirror(link)
	return 0
}

// mirror is the far end of a benchmark: it sends back what has a call id, and
// answers a Ready with a Ready, so that the near end knows that all frames have arrived.
func mirror(l *Link) {
	defer l.Close()
	for {
		packets, err := l.Receive()
		if err != nil {
			return
		}
		for _, p := range packets {
			if p.Call != 0 || p.Type == wire.Ready {
				_ = l.Send(p.Frame)
			}
		}
	}
}

// benchLinks calls bench with a link to a mirror in this process, and in another.
func benchLinks(b *testing.B, bench func(*testing.B, *Link)) {
	b.Run("one process", func(b *testing.B) {
		near, far := pairOfLinks(b)
		done := make(chan struct{})
		go func() { defer close(done); mirror(far) }()
		bench(b, near)
		near.Close()
		<-done
	})
	b.Run("two processes", func(b *testing.B) {
		near, end, err := Pair()
		if err != nil {
			b.Fatal(err)
		}
		defer near.Close()
		cmd := helperCommand(b, "mirror", end)
		cmd.Env = append(cmd.Env, EnvName+"="+Identity{FD: 3, ID: 1, Master: os.Getpid()}.String())
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		end.Close()
		bench(b, near)
		near.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
	})
}

// sendPatiently sends a message, and tries again while the queue is full.
func sendPatiently(l *Link, f wire.Frame) error {
	for {
		err := l.Send(f)
		if !errors.Is(err, ErrQueueFull) {
			return err
		}
		if err := l.Flush(context.Background()); err != nil {
			return err
		}
	}
}

func BenchmarkOneWay(b *testing.B) {
	benchLinks(b, func(b *testing.B, l *Link) {
		roundTrip(b, l, wire.Frame{Type: wire.Ready})
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			if err := sendPatiently(l, wire.Frame{Type: wire.Message, Body: small}); err != nil {
				b.Fatal(err)
			}
		}
		roundTrip(b, l, wire.Frame{Type: wire.Ready})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	benchLinks(b, func(b *testing.B, l *Link) {
		roundTrip(b, l, wire.Frame{Type: wire.Ready})
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			roundTrip(b, l, wire.Frame{Type: wire.Message, Call: uint32(i) + 1, Body: small})
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "trips/s")
	})
}

// BenchmarkLarge sends messages of 1 MB.
func BenchmarkLarge(b *testing.B) {
	body := make([]byte, 1<<20)
	benchLinks(b, func(b *testing.B, l *Link) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for i := range b.N {
			binary.BigEndian.PutUint64(body, uint64(i))
			if err := sendPatiently(l, wire.Frame{Type: wire.Message, Body: body}); err != nil {
				b.Fatal(err)
			}
		}
		roundTrip(b, l, wire.Frame{Type: wire.Ready})
	})
}

func roundTrip(b *testing.B, l *Link, f wire.Frame) {
	if err := l.Send(f); err != nil {
		b.Fatal(err)
	}
	if _, err := l.Receive(); err != nil {
		b.Fatal(err)
	}
}
