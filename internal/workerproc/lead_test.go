//go:build linux

package workerproc

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// leading is a call of Lead.
type leading struct {
	*bench
	ctx    context.Context // of the function; nil before it is called
	finish chan error      // ends the function
	result chan error      // of Lead
}

func (b *bench) lead(ctx context.Context) *leading {
	l := &leading{bench: b, finish: make(chan error), result: make(chan error, 1)}
	go func() {
		l.result <- b.Lead(ctx, "a", func(ctx context.Context) error { l.ctx = ctx; return <-l.finish })
	}()
	synctest.Wait()
	return l
}

// grant answers the call with a token, which it returns.
func (l *leading) grant(t *testing.T, call uint32) *descriptor.FD {
	fd := null(t)
	l.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Leads, Call: call, FDs: 1}, Files: []*descriptor.FD{fd}}
	synctest.Wait()
	return fd
}

func (l *leading) returned(t *testing.T, want error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-l.result:
		if !errors.Is(err, want) || (want == nil) != (err == nil) {
			t.Errorf("Lead returned %v, want %v", err, want)
		}
	default:
		t.Error("Lead has not returned")
	}
}

// said returns the frames about leases that the worker has sent.
func (b *bench) said() string {
	b.link.mu.Lock()
	defer b.link.mu.Unlock()
	var all []string
	for _, f := range b.link.sent {
		if f.Type == wire.Lead || f.Type == wire.Yield {
			all = append(all, f.Type.String())
		}
	}
	return strings.Join(all, " ")
}

func TestLead(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.lead(context.Background())
		if l.ctx != nil || b.said() != "lead" {
			t.Errorf("the function was called before the master has answered; the worker has said %q", b.said())
		}
		token := l.grant(t, 1)
		if l.ctx == nil || l.ctx.Err() != nil || token.Int() < 0 {
			t.Error("the function was not called, or it has no lease")
		}
		failed := errors.New("on purpose")
		l.finish <- failed
		l.returned(t, failed)
		if token.Int() >= 0 || b.said() != "lead yield" {
			t.Errorf("the lease is not given up: descriptor %d, the worker has said %q", token.Int(), b.said())
		}
	})
}

// A worker that drains tells the function, and leaves when it has returned.
func TestLeadInADrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.lead(context.Background())
		token := l.grant(t, 1)
		waits := b.lead(context.Background())
		b.receive(wire.Disconnect, nil)
		waits.returned(t, ipc.ErrDisconnected)
		if l.ctx.Err() == nil || !errors.Is(context.Cause(l.ctx), ipc.ErrDisconnected) {
			t.Error("the function doesn't learn of the drain")
		}
		time.Sleep(defaultGrace / 2)
		if b.hasLeft() || token.Int() < 0 {
			t.Error("the worker has left, or given the lease up, and the function works")
		}
		l.finish <- nil
		if !b.hasLeft() || b.said() != "lead lead yield yield" {
			t.Errorf("left: %t; the worker has said %q", b.hasLeft(), b.said())
		}
		l.returned(t, nil)
		b.lead(context.Background()).returned(t, ipc.ErrDisconnected)
	})
}

// A function that doesn't return keeps the lease beyond the grace: its work goes on.
func TestLeadBeyondTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.lead(context.Background())
		token := l.grant(t, 1)
		b.receive(wire.Disconnect, nil)
		time.Sleep(defaultGrace + time.Second)
		if !b.hasLeft() || token.Int() < 0 {
			t.Errorf("left %t, descriptor %d: want true, and an open one", b.hasLeft(), token.Int())
		}
		l.finish <- nil
		l.returned(t, nil)
	})
}

// A lease that is granted to a call that was given up is given back.
func TestLeadGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(context.Background())
		l := b.lead(ctx)
		cancel()
		l.returned(t, context.Canceled)
		if token := l.grant(t, 1); token.Int() >= 0 || l.ctx != nil || b.said() != "lead yield" {
			t.Errorf("descriptor %d; the worker has said %q", token.Int(), b.said())
		}
	})
}

// A function that ends its goroutine, or panics, has ended.
func TestLeadThatDoesNotReturn(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for _, end := range []func(){func() { panic("on purpose") }, runtime.Goexit} {
			go func() {
				defer func() { _ = recover() }()
				_ = b.Lead(context.Background(), "a", func(context.Context) error { end(); return nil })
			}()
			synctest.Wait()
			id := b.calls.Last()
			if token := (&leading{bench: b}).grant(t, id); token.Int() >= 0 {
				t.Error("the lease is not given up")
			}
		}
		if b.said() != "lead yield lead yield" {
			t.Errorf("the worker has said %q", b.said())
		}
	})
}

// A refusal of the master is the error of Lead.
func TestLeadRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.lead(context.Background())
		f := wire.Frame{Type: wire.Failed, Call: 1, Body: wire.Body(wire.FailedBody{Kind: "text", Text: "no"})}
		b.link.frames <- link.Packet{Frame: f}
		synctest.Wait()
		if err := <-l.result; err == nil || err.Error() != "lead: no" {
			t.Errorf("%v, want lead: no", err)
		}
	})
}

// The master's death ends the term too.
func TestLeadOfAnOrphan(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.lead(context.Background())
		l.grant(t, 1)
		close(b.link.gone)
		synctest.Wait()
		if l.ctx.Err() == nil {
			t.Error("the function doesn't learn that the master is gone")
		}
		select {
		case <-b.exited:
			t.Error("the process has ended, and the function works")
		default:
		}
		l.finish <- nil
		synctest.Wait()
		if status := <-b.exited; status != 0 {
			t.Errorf("status %d", status)
		}
	})
}
