//go:build linux

package e2e

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
)

// The speed of messages and forks, here and in Node on the same machine in the same
// run. go test -run=- -bench=Messages ./e2e

func BenchmarkMessagesOneWay(b *testing.B) {
	c := newCluster(b, "flood")
	w := c.fork(nil)
	done := make(chan time.Time, 1)
	n, began := 0, time.Time{}
	w.Subscribe(master.Events{Message: func(*master.Worker, ipc.Message) {
		if n == 0 {
			began = time.Now()
		}
		if n++; n == b.N {
			done <- began
		}
	}})
	if err := w.Send(notice{N: b.N}); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	took := time.Since(await(b, "messages", done))
	b.ReportMetric(float64(b.N)/took.Seconds(), "messages/s")
}

func BenchmarkMessagesRoundTrip(b *testing.B) {
	c := newCluster(b, "echo")
	w := c.fork(nil)
	done := make(chan time.Time, 1)
	n, began := -1, time.Time{}
	w.Subscribe(master.Events{Message: func(w *master.Worker, m ipc.Message) {
		if n++; n == 0 {
			began = time.Now()
		}
		if n == b.N {
			done <- began
			return
		}
		if err := w.Send(notice{Cmd: "echo", N: 1}); err != nil {
			b.Error(err)
		}
	}})
	if err := w.Send(notice{Cmd: "echo", N: 1}); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	took := time.Since(await(b, "round trips", done))
	b.ReportMetric(float64(b.N)/took.Seconds(), "roundtrips/s")
}

// node runs the counterpart of a benchmark and returns the number that it prints.
func node(t testing.TB, mode string, count int) float64 {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: nothing to compare with")
	}
	out, err := exec.Command(path, "testdata/messages.js", mode, strconv.Itoa(count)).Output()
	if err != nil {
		t.Fatalf("node: %v: %s", err, out)
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
