package workerproc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// check sends a Check. It returns the answer, if it came in time.
func (b *bench) check(call uint32, within time.Duration) (answer string, ok bool) {
	b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Check, Call: call, Body: wire.Body(wire.CheckBody{Within: within})}}
	time.Sleep(within)
	synctest.Wait()
	b.link.mu.Lock()
	defer b.link.mu.Unlock()
	for _, f := range b.link.sent {
		var body wire.CheckedBody
		if f.Type == wire.Checked && f.Call == call && f.Decode(&body) == nil {
			return body.Error, true
		}
	}
	return "", false
}

func TestOnHealth(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		var err error
		b.OnHealth(func(context.Context) error { return nil })
		b.OnHealth(func(context.Context) error { return err })
		if n := b.link.count(wire.Watch); n != 1 {
			t.Errorf("the master was told %d times, want once", n)
		}
		if answer, ok := b.check(1, time.Second); !ok || answer != "" {
			t.Errorf("healthy: %q, %v", answer, ok)
		}
		err = errors.New("the database is gone")
		if answer, ok := b.check(2, time.Second); !ok || answer != "the database is gone" {
			t.Errorf("unhealthy: %q, %v", answer, ok)
		}
	})
}

// A report always has a text, of bounded length, unless nothing is wrong any more.
func TestReport(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for _, err := range []error{errors.New("no database"), errors.New(""), errors.New(strings.Repeat("x", 1<<20)), nil} {
			b.Report(err)
			var body wire.ReportBody
			f := b.link.sent[len(b.link.sent)-1]
			if f.Type != wire.Report || f.Decode(&body) != nil || (body.Error == "") != (err == nil) || len(body.Error) > 2000 {
				t.Errorf("%.20v: %v %.100s", err, f.Type, f.Body)
			}
		}
	})
}

func TestOnHealthThatPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.OnHealth(func(context.Context) error { panic("no") })
		if answer, ok := b.check(1, time.Second); !ok || answer != "panic: no" {
			t.Errorf("%q, %v", answer, ok)
		}
	})
}

// A function that hangs gives no answer, and isn't called again until it has returned.
func TestOnHealthThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		running, most := 0, 0
		release := make(chan struct{})
		b.OnHealth(func(ctx context.Context) error {
			running++
			most = max(most, running)
			defer func() { running-- }()
			<-ctx.Done()
			<-release
			return nil
		})
		for call := range uint32(3) {
			if _, ok := b.check(call+1, time.Second); ok {
				t.Errorf("an answer to %d", call)
			}
		}
		if answer, ok := b.check(8, 0); !ok || answer != "" {
			t.Errorf("no sign of life while a function hangs: %q, %v", answer, ok)
		}
		close(release)
		synctest.Wait()
		if most != 1 {
			t.Errorf("%d ran at once", most)
		}
		if answer, ok := b.check(9, time.Second); !ok || answer != "" {
			t.Errorf("afterwards: %q, %v", answer, ok)
		}
	})
}
