package master

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// answering is a worker that answers rate requests a second, of which so many of a hundred fail. It
// had answered a thousand before, with the same share.
func answering(rate int64, failing func(generation int) int64) func(*fakeProc) {
	return func(p *fakeProc) {
		p.say(wire.Hello, wire.HelloBody{Min: 1, Max: 1, Counts: true})
		p.accept("tcp", ":80")
		begin := time.Now()
		for {
			select {
			case f := <-p.got:
				switch f.Type {
				case wire.Count:
					n := int64(time.Since(begin).Seconds()) * rate
					p.say(wire.Counted, wire.CountedBody{Counters: wire.Counters{Requests: n, Errors: n * failing(p.id.Generation) / 100}})
				case wire.Disconnect:
					p.say(wire.Draining, nil)
					p.die(Exit{})
				}
			case <-p.died:
				return
			}
		}
	}
}

// A release whose canaries answer more errors than the old workers is rolled back when they have answered
// enough; one that doesn't, and one whose configuration says so, goes on.
func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		requests int
		rate     int64
		bad      int64 // of a hundred, by the new release
		before   int64
		want     error
		after    time.Duration
	}{
		"well":        {0, 20, 4, 1, nil, time.Minute},
		"sick":        {0, 20, 30, 1, reload.ErrWorse, 7 * time.Second}, // 100 requests in 5 s, and the next look
		"as before":   {0, 20, 30, 30, nil, time.Minute},
		"too few":     {2000, 20, 30, 1, nil, time.Minute},
		"enough":      {10, 20, 30, 1, reload.ErrWorse, 2 * time.Second},
		"more a time": {0, 100, 30, 1, reload.ErrWorse, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{Workers: 2, Canary: 1, CanaryTime: time.Minute, MinUptime: -1, CanaryRequests: tc.requests}, func(t *testing.T, b *bench) {
				b.os.script = answering(tc.rate, func(generation int) int64 {
					if generation == 1 {
						return tc.before
					}
					return tc.bad
				})
				b.run()
				elapse(time.Hour)
				begun := time.Now()
				err := b.Reload(context.Background())
				if took := time.Since(begun); !errors.Is(err, tc.want) || took > tc.after || tc.want == nil && took != tc.after {
					t.Errorf("%v after %v, want %v after %v", err, took, tc.want, tc.after)
				}
				want := 1
				if tc.want == nil {
					want = 2
				}
				if elapse(time.Minute); b.generations()[want] != 2 {
					t.Errorf("generations %v", b.generations())
				}
			})
		})
	}
}
