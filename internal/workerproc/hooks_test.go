package workerproc

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// hooked gives the worker a hook that says when it ran, and returns when it may.
func (b *bench) hooked() (ran chan time.Time, release chan struct{}) {
	ran, release = make(chan time.Time, 1), make(chan struct{})
	b.OnDisconnect(func(ctx context.Context) error {
		ran <- time.Now()
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	return ran, release
}

func TestHooksRunAtOnceWithoutConnections(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		ran, release := b.hooked()
		begin := time.Now()
		b.receive(wire.Disconnect, nil)
		if at := <-ran; !at.Equal(begin) {
			t.Errorf("it ran after %v", at.Sub(begin))
		}
		if b.hasLeft() {
			t.Fatal("the worker left before its hook returned")
		}
		close(release)
		if !b.hasLeft() {
			t.Error("the worker has not left")
		}
	})
}

// A hook's context ends with the grace, and so does the wait for it.
func TestHooksEndWithTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, _ = b.hooked() // returns when its context ends
		begin := time.Now()
		b.receive(wire.Disconnect, nil)
		<-b.Done()
		if d := time.Since(begin); d != defaultGrace {
			t.Errorf("the worker left after %v, want the grace", d)
		}
	})
}

func TestHookThatPanics(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.OnDisconnect(func(context.Context) error { panic("hook") })
		b.receive(wire.Disconnect, nil)
		if !b.hasLeft() {
			t.Error("the worker has not left")
		}
	})
}

func TestHookAfterTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, release := b.hooked()
		b.receive(wire.Disconnect, nil)
		ran, also := b.hooked()
		<-ran
		close(release)
		if b.hasLeft() {
			t.Fatal("the worker left before its late hook returned")
		}
		close(also)
		if !b.hasLeft() {
			t.Error("the worker has not left")
		}
	})
}

// srv.Shutdown drops a request that comes after it was called, so the hooks wait for
// connections that may bring one.
func TestHooksWaitForRequests(t *testing.T) {
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	request := "GET / HTTP/1.1\r\n\r\n"
	for _, tc := range []struct {
		name  string
		dark  bool
		bytes []string // read and written, in turns
		after time.Duration
	}{
		{"new and silent", false, nil, freshTicks * drainTick},
		{"at rest between requests", false, []string{request, answer}, defaultIdleGrace},
		{"in the handler", false, []string{request}, 2 * drainTick},
		{"in the middle of an answer", false, []string{request, answer[:20]}, drainTick},
		{"no HTTP/1", true, nil, drainTick},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				l := b.Track(newPipeListener()).(*listener)
				client, c := b.tracked(l)
				go func() { _, _ = client.Read(make([]byte, 1024)) }()
				if tc.dark {
					c.giveUp()
				}
				for i, s := range tc.bytes {
					if i%2 == 0 {
						c.received([]byte(s))
					} else {
						_, _ = c.Write([]byte(s))
					}
				}
				if len(tc.bytes) == 2 && tc.bytes[1] == answer {
					c.asks()
				}
				ran, release := b.hooked()
				begin := time.Now()
				b.receive(wire.Disconnect, nil)
				if d := (<-ran).Sub(begin); d != tc.after {
					t.Errorf("the hook ran after %v, want %v", d, tc.after)
				}
				close(release)
				c.Close()
				client.Close()
				synctest.Wait()
			})
		})
	}
}
