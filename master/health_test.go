package master

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// watched is the script of a worker that answers health checks with what well returns,
// or not at all.
func watched(well func() (answer string, answers bool)) func(*fakeProc) {
	return func(p *fakeProc) {
		p.hello()
		p.accept("tcp", ":80")
		p.say(wire.Watch, nil)
		for {
			select {
			case f := <-p.got:
				p.answer(f, well)
			case <-p.died:
				return
			}
		}
	}
}

func (p *fakeProc) answer(f wire.Frame, well func() (string, bool)) {
	switch f.Type {
	case wire.Check:
		if answer, answers := well(); answers {
			p.frames <- link.Packet{Frame: wire.Frame{Type: wire.Checked, Call: f.Call, Body: wire.Body(wire.CheckedBody{Error: answer})}}
		}
	case wire.Disconnect:
		p.say(wire.Draining, nil)
		p.die(Exit{})
	}
}

func TestHealth(t *testing.T) {
	for _, tc := range []struct {
		name     string
		answers  []string // of the first worker, the last one repeated; "-": none
		replaced time.Duration
	}{
		{"well", []string{""}, 0},
		{"ill", []string{"", "ill"}, 3*time.Second + time.Millisecond},
		{"ill and well again", []string{"ill", "ill", ""}, 0},
		{"silent", []string{"", "-"}, 4*time.Second + time.Millisecond}, // noticed at the next check
		{"silent, ill, silent", []string{"-", "ill", "-"}, 3*time.Second + time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := Config{Workers: 1, HealthInterval: time.Second}
			inBubble(t, cfg, func(t *testing.T, b *bench) {
				var asked atomic.Int32
				b.os.script = watched(func() (string, bool) {
					n := int(asked.Add(1)) - 1
					if n >= len(tc.answers) {
						n = len(tc.answers) - 1
					}
					return tc.answers[n], tc.answers[n] != "-"
				})
				b.run()
				if tc.replaced == 0 {
					elapse(time.Minute)
					b.wantLiving(t, 1)
					return
				}
				elapse(tc.replaced - 2*time.Millisecond)
				b.wantLiving(t, 1)
				b.os.mu.Lock()
				b.os.script = nil
				b.os.mu.Unlock()
				elapse(2 * time.Millisecond)
				b.wantLiving(t, 2)
			})
		})
	}
}

// With HealthInterval NoLimit no worker is checked.
func TestHealthIntervalNegative(t *testing.T) {
	inBubble(t, Config{Workers: 1, HealthInterval: NoLimit}, func(t *testing.T, b *bench) {
		asked := false
		b.os.script = watched(func() (string, bool) { asked = true; return "", true })
		b.run()
		elapse(time.Hour)
		if asked {
			t.Error("the worker was checked")
		}
	})
}

// Answers to no check are ignored, and so is a second Watch.
func TestHealthIgnoresStrayAnswers(t *testing.T) {
	inBubble(t, Config{Workers: 1, HealthInterval: time.Second}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			p.say(wire.Watch, nil)
			p.say(wire.Watch, nil)
			p.frames <- link.Packet{Frame: wire.Frame{Type: wire.Checked, Call: 99, Body: wire.Body(wire.CheckedBody{Error: "?"})}}
			p.obey()
		}
		b.run()
		elapse(3*time.Second - time.Millisecond)
		b.wantLiving(t, 1)
		b.os.mu.Lock()
		b.os.script = nil
		b.os.mu.Unlock()
		elapse(2 * time.Millisecond) // three checks, no answer
		b.wantLiving(t, 2)
	})
}

// The timer of the next check is stopped when a worker has gone: it would keep the worker
// in memory.
func TestHealthTimerIsStopped(t *testing.T) {
	inBubble(t, Config{Workers: 1, HealthInterval: time.Second}, func(t *testing.T, b *bench) {
		b.os.script = watched(func() (string, bool) { return "", true })
		stopped, once := make(chan struct{}), sync.Once{}
		_ = b.loop.Ask(func(l *loop) error {
			after := l.care.After
			l.care.After = func(d time.Duration, f func()) func() {
				stop := after(d, f)
				return func() { once.Do(func() { close(stopped) }); stop() }
			}
			return nil
		})
		b.run()
		elapse(2 * time.Second) // the next check sets that timer
		if err := b.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		elapse(time.Minute)
		select {
		case <-stopped:
		default:
			t.Error("the timer of the next check was not stopped")
		}
	})
}
