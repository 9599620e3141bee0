//go:build linux

package master

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/status"
)

// controlled starts a master with fake workers and a control socket.
func controlled(t testing.TB, workers int) (m *Master, o *fakeOS, path string) {
	t.Helper()
	o, path = &fakeOS{}, filepath.Join(t.TempDir(), "rota.sock")
	m = newMaster(Config{Workers: workers, MinUptime: -1, Control: path, Logger: slog.New(slog.DiscardHandler)}, o.sys())
	t.Cleanup(func() { _ = m.Close() })
	go func() { _ = m.Run(context.Background()) }()
	for s := range m.Watch(context.Background()) {
		if s.Phase == "serving" {
			break
		}
	}
	return m, o, path
}

// The status of 100 workers comes over the control socket within 5 ms.
func TestHundredWorkersOverControl(t *testing.T) {
	m, _, path := controlled(t, 100)
	for range 2 * status.HistorySize {
		_ = m.Scale(100)
	}
	var took []time.Duration
	for range 30 {
		time.Sleep(25 * time.Millisecond) // nobody else has just asked
		begin := time.Now()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(`{"do":"status"}` + "\n"))
		line, err := bufio.NewReader(c).ReadString('\n')
		took = append(took, time.Since(begin))
		_ = c.Close()
		if err != nil || strings.Count(line, `"slot":`) < 99 {
			t.Fatalf("%.300s, %v", line, err)
		}
	}
	slices.Sort(took)
	t.Logf("the status of 100 workers: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if took[0] > 5*time.Millisecond {
		t.Errorf("the best of %d takes %v", len(took), took[0])
	}
}

// asker is a worker that asks for a socket again and again.
type asker struct{ *fakeProc }

func newAsker(t testing.TB, m *Master, o *fakeOS) asker {
	t.Helper()
	ready := make(chan *fakeProc)
	o.mu.Lock()
	o.script = func(p *fakeProc) { idle(p); ready <- p }
	o.mu.Unlock()
	if _, err := m.Fork(nil); err != nil {
		t.Fatal(err)
	}
	a := asker{<-ready}
	o.mu.Lock()
	o.script = nil
	o.mu.Unlock()
	return a
}

// ask returns how long the worker waits for a socket.
func (a *asker) ask(t testing.TB) time.Duration {
	begin := time.Now()
	f := a.listen("tcp", ":80")
	took := time.Since(begin)
	if f.Type != wire.Socket {
		t.Fatalf("an ask is answered by %v: %v", f.Type, errorOf(f))
	}
	a.say(wire.Closed, wire.ClosedBody{ID: socketOf(f)}) // it may ask again
	return took
}
