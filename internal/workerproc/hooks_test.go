package workerproc

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/wire"
)

// freshTicks is for how many ticks package http1 expects a request on a connection on
// which nothing has been read.
const freshTicks = 10

// addHook adds a hook that sends the time of its call on called, and returns when release
// is closed or the grace ends.
func (b *bench) addHook() (called chan time.Time, release chan struct{}) {
	called, release = make(chan time.Time, 1), make(chan struct{})
	b.OnDisconnect(func(ctx context.Context) error {
		called <- time.Now()
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	return called, release
}

func TestHooksWithoutConnections(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		called, release := b.addHook()
		begin := time.Now()
		b.receive(wire.Disconnect, nil)
		if at := <-called; !at.Equal(begin) {
			t.Errorf("the hook was called after %v", at.Sub(begin))
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

// A hook's context ends with the grace, and the worker doesn't wait for the hook any longer.
func TestHooksEndWithTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, _ = b.addHook() // returns when its context ends
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
		_, release := b.addHook()
		b.receive(wire.Disconnect, nil)
		called, also := b.addHook()
		<-called
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

// srv.Shutdown drops requests that are read after its call, so the hooks are not called
// while a connection may bring one.
func TestHooksWaitForRequests(t *testing.T) {
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	request := "GET / HTTP/1.1\r\n\r\n"
	for _, tc := range []struct {
		name  string
		bytes []string // read and written, in turns
		reads bool     // the program's Read has begun when the drain does
		after time.Duration
	}{
		{"new and silent", nil, false, freshTicks * drainTick},
		{"idle between requests", []string{request, answer}, true, defaultIdleGrace},
		{"in the handler", []string{request}, false, 2 * drainTick},
		{"in the middle of an answer", []string{request, answer[:20]}, false, drainTick},
		{"another protocol", []string{request, "220 not an HTTP answer"}, false, drainTick},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				l := b.Track(newPipeListener()).(*listener)
				client, program, c := b.tracked(l)
				go func() { _, _ = io.Copy(io.Discard, client) }()
				for i, s := range tc.bytes {
					if i%2 == 0 {
						go func() { _, _ = io.WriteString(client, s) }()
						_, _ = program.Read(make([]byte, 1024))
					} else {
						_, _ = io.WriteString(program, s)
					}
				}
				if tc.reads {
					go func() { _, _ = program.Read(make([]byte, 1024)) }()
					synctest.Wait()
				}
				called, release := b.addHook()
				begin := time.Now()
				b.receive(wire.Disconnect, nil)
				if d := (<-called).Sub(begin); d != tc.after {
					t.Errorf("the hook was called after %v, want %v", d, tc.after)
				}
				close(release)
				c.Close()
				client.Close()
				synctest.Wait()
			})
		})
	}
}
