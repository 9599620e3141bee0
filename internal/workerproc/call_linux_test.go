//go:build linux

package workerproc

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// The program gets the file that the master sends, or the master's error.
func TestSharedFile(t *testing.T) {
	master := newFakeLink()
	w := newWorker(link.Identity{}, master)
	r, end := newPipe(t)
	master.onSend = func(f wire.Frame) {
		if f.Type == wire.Share && string(f.Body) == `{"name":"a","size":17}` {
			go w.handle(packet(wire.Shared, f.Call, r))
		} else if f.Type == wire.Share {
			p := packet(wire.Failed, f.Call)
			p.Body = wire.Body(neterr.Encode(syscall.EMFILE))
			go w.handle(p)
		}
	}
	f, err := w.SharedFile("a", 17)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pipe, _ := end.File("end")
	io.WriteString(pipe, "x")
	if n, err := f.Read(make([]byte, 1)); n != 1 || err != nil || r.Int() != -1 {
		t.Errorf("the file is another: %v; the descriptor that came is open: %t", err, r.Int() != -1)
	}
	if _, err := w.SharedFile("b", 17); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("a refusal is %v", err)
	}
	master.onSend = func(f wire.Frame) {
		if string(f.Body) == `{"name":"c","size":0,"queue":true}` {
			go w.handle(packet(wire.Shared, f.Call, end))
		}
	}
	queue, err := w.SharedFile("c", 0)
	if err != nil {
		t.Fatal(err)
	}
	queue.Close()
	if err := w.handle(packet(wire.Shared, 1)); !errors.Is(err, wire.ErrDescriptors) {
		t.Errorf("without a descriptor: %v", err)
	}
}

// A file that comes when nobody waits for it is closed.
func TestSharedFileTooLate(t *testing.T) {
	w := newWorker(link.Identity{}, newFakeLink())
	r, _ := newPipe(t)
	if err := w.handle(packet(wire.Shared, 9, r)); err != nil || r.Int() != -1 {
		t.Errorf("%v; the descriptor is open: %t", err, r.Int() != -1)
	}
}

// A master of an older version doesn't answer: SharedFile gives up, and Status with its context.
// The master is asked once all the same.
func TestNoAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if _, err := b.SharedFile("a", 17); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := b.Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			cancel()
		}
		if n := b.link.count(wire.AskStatus); n != 1 {
			t.Errorf("the master was asked %d times before it has answered", n)
		}
		close(b.link.gone)
		synctest.Wait()
		if _, err := b.Status(t.Context()); !errors.Is(err, ipc.ErrDisconnected) {
			t.Errorf("without a master: %v", err)
		}
	})
}

func TestStatus(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.link.onSend = func(f wire.Frame) {
			if f.Type == wire.AskStatus {
				b.link.frames <- link.Packet{Frame: wire.Frame{Type: wire.Status, Call: f.Call, Body: []byte("17")}}
			}
		}
		for range 2 {
			if s, err := b.Status(t.Context()); string(s) != "17" || err != nil {
				t.Errorf("%s, %v", s, err)
			}
		}
	})
}

// The functions of OnLeave are called in their order when the hooks have returned, before the last
// counters; one that panics or hangs holds up nobody for long.
func TestOnLeave(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		said := ""
		b.OnDisconnect(func(context.Context) error { time.Sleep(time.Second); said += "hook "; return nil })
		b.OnLeave(func() {
			said += "one "
			if b.link.count(wire.Counted) > 0 {
				t.Error("the last counters were sent before")
			}
		})
		b.OnLeave(func() { panic("no") })
		b.OnLeave(func() { said += "two " })
		b.OnLeave(func() { time.Sleep(time.Hour) })
		b.receive(wire.Disconnect, nil)
		time.Sleep(defaultGrace + time.Second)
		if !b.hasLeft() || said != "hook one two " {
			t.Errorf("left: %t, called: %s", b.hasLeft(), said)
		}
		b.OnLeave(func() { t.Error("called after the worker has left") })
	})
}
