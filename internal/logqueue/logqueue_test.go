package logqueue_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/logqueue"
)

// writer is a handler of the program: gate may block it.
type writer struct {
	slog.Handler
	mu    *sync.Mutex
	text  *bytes.Buffer
	gate  chan struct{} // nil: open
	enter func(message string)
}

func newWriter() *writer {
	w := &writer{mu: &sync.Mutex{}, text: &bytes.Buffer{}}
	w.Handler = slog.NewTextHandler(w.text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	return w
}

func (w *writer) Handle(ctx context.Context, r slog.Record) error {
	if w.gate != nil {
		<-w.gate
	}
	if w.enter != nil {
		w.enter(r.Message)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Handler.Handle(ctx, r)
}

func (w *writer) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Split(strings.TrimSpace(w.text.String()), "\n")
}

// What was logged is written in order, with the logger's attributes and at its level.
func TestOrder(t *testing.T) {
	w := newWriter()
	log := logqueue.New(slog.New(w))
	if logqueue.New(log) != log {
		t.Error("a queue has a queue before it")
	}
	log.Debug("hidden")
	for i := range 100 {
		log.WithGroup("g").With("a", 1).Info(fmt.Sprint(i))
	}
	logqueue.Flush(log, 10*time.Second)
	got := w.lines()
	if len(got) != 100 {
		t.Fatalf("%d lines, want 100", len(got))
	}
	for i, l := range got {
		if want := fmt.Sprintf("level=INFO msg=%d g.a=1", i); l != want {
			t.Fatalf("line %d is %q, want %q", i, l, want)
		}
	}
}

// A handler that blocks holds up nobody. Lines that are too many are dropped, and the next
// that isn't is preceded by their number.
func TestBlockedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter()
		w.gate = make(chan struct{})
		log := logqueue.New(slog.New(w))
		log.Info("first")
		synctest.Wait() // it is being written
		for i := range logqueue.MaxWaiting + 7 {
			log.Info(fmt.Sprint(i))
		}
		begin := time.Now()
		logqueue.Flush(log, time.Second)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("Flush has waited for %v, want 1s", d)
		}
		logqueue.Flush(log, time.Second)
		if d := time.Since(begin); d != time.Second {
			t.Errorf("a second Flush has waited too, for %v", d-time.Second)
		}
		w.gate <- struct{}{}
		synctest.Wait()
		log.Info("again") // beside the notice
		close(w.gate)
		synctest.Wait()
		got := w.lines()
		if n := len(got); n != logqueue.MaxWaiting+3 || got[n-1] != "level=INFO msg=again" ||
			!strings.HasPrefix(got[n-2], "level=WARN") || !strings.HasSuffix(got[n-2], "lines=7") {
			t.Errorf("%d lines that end with %q", n, got[max(0, n-2):])
		}
	})
}

// A handler that panics, or ends its goroutine, loses that line and no other.
func TestPanickingHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter()
		w.enter = func(message string) {
			switch message {
			case "panic":
				panic(message)
			case "exit":
				runtime.Goexit()
			}
		}
		log := logqueue.New(slog.New(w))
		for _, message := range []string{"panic", "exit", "good"} {
			log.Info(message)
		}
		synctest.Wait()
		if got := strings.Join(w.lines(), "\n"); !strings.Contains(got, "msg=good") || !strings.Contains(got, "lines=1") {
			t.Errorf("the log is\n%s", got)
		}
	})
}

// A handler that always panics is not called without end.
func TestAlwaysPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, calls := newWriter(), 0
		w.enter = func(string) { calls++; panic("always") }
		log := logqueue.New(slog.New(w))
		log.Info("one")
		synctest.Wait()
		if calls != 2 { // with the notice
			t.Errorf("%d calls, want 2", calls)
		}
	})
}

// Lines that the handler doesn't want take no place in the queue; when it wants them, they are written within a second.
func TestUnwantedLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, level := newWriter(), &slog.LevelVar{}
		w.Handler = slog.NewTextHandler(w.text, &slog.HandlerOptions{Level: level})
		log := logqueue.New(slog.New(w))
		log.Debug("nobody wants this")
		synctest.Wait()
		w.gate = make(chan struct{})
		log.Info("blocks the others")
		for range 2 * logqueue.MaxWaiting {
			log.Debug("nor this")
		}
		log.Info("the last")
		close(w.gate)
		synctest.Wait()
		if got := w.lines(); len(got) != 2 || !strings.Contains(got[1], "the last") {
			t.Errorf("written: %q", got)
		}
		level.Set(slog.LevelDebug)
		time.Sleep(time.Second + time.Millisecond)
		log.Debug("wanted")
		synctest.Wait()
		log.Debug("at once")
		synctest.Wait()
		level.Set(slog.LevelWarn)
		synctest.Wait()
		log.Info("too low now")
		synctest.Wait()
		if got := w.lines(); len(got) != 4 || !strings.Contains(got[2], "wanted") || !strings.Contains(got[3], "at once") {
			t.Errorf("written when the level has changed: %q", got)
		}
	})
}
