//go:build linux

package workerproc

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/statepipe"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

func packet(t wire.Type, call uint32, fds ...*descriptor.FD) link.Packet {
	return link.Packet{Frame: wire.Frame{Type: t, Call: call}, Files: fds}
}

func newPipe(t *testing.T) (reader, writer *descriptor.FD) {
	t.Helper()
	reader, writer, err := statepipe.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close(); writer.Close() })
	return reader, writer
}

// What the predecessor writes is read, once.
func TestInherit(t *testing.T) {
	master := newFakeLink()
	successor, predecessor := newWorker(link.Identity{}, master), newWorker(link.Identity{}, newFakeLink())
	predecessor.OnHandOverState(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "all that is known")
		return err
	})
	r, w := newPipe(t)
	master.onSend = func(f wire.Frame) {
		if f.Type == wire.Inherit {
			go successor.handle(packet(wire.Inherit, f.Call, r))
		}
	}
	if err := predecessor.handle(packet(wire.GiveState, 0, w)); err != nil {
		t.Fatal(err)
	}
	state, err := successor.Inherit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(state); string(b) != "all that is known" || err != nil {
		t.Errorf("inherited %q, %v", b, err)
	}
	state.Close()
	if _, err := successor.Inherit(t.Context()); err != io.EOF || master.count(wire.Inherit) != 1 {
		t.Errorf("again: %v, asked %d times", err, master.count(wire.Inherit))
	}
}

// A program that leaves nothing gives nothing.
func TestNothingToInherit(t *testing.T) {
	w := newWorker(link.Identity{}, newFakeLink())
	reader, writer := newPipe(t)
	if err := w.handle(packet(wire.GiveState, 0, writer)); err != nil {
		t.Fatal(err)
	}
	if _, err := statepipe.Open(t.Context(), reader); err != io.EOF {
		t.Errorf("%v, want io.EOF", err)
	}
	if err := w.handle(packet(wire.GiveState, 0)); !errors.Is(err, wire.ErrDescriptors) {
		t.Errorf("without a pipe: %v", err)
	}
}

// A worker that leaves waits until its state is written, or can't be.
func TestDrainWaitsForState(t *testing.T) {
	w := newWorker(link.Identity{}, newFakeLink())
	goOn := make(chan struct{})
	w.OnHandOverState(func(context.Context, io.Writer) error { <-goOn; return nil })
	_, writer := newPipe(t)
	if err := w.handle(packet(wire.GiveState, 0, writer)); err != nil {
		t.Fatal(err)
	}
	w.startDrain()
	select {
	case <-w.Done():
		t.Error("it leaves before")
	case <-time.After(10 * time.Millisecond):
	}
	close(goOn)
	<-w.Done()
}

// Inherit doesn't wait forever, and an answer that comes too late is closed.
func TestInheritWithoutAnswer(t *testing.T) {
	master := newFakeLink()
	w := newWorker(link.Identity{}, master)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := w.Inherit(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	r, _ := newPipe(t)
	if err := w.handle(packet(wire.Inherit, 1, r)); err != nil || r.Int() >= 0 {
		t.Errorf("a late answer: %v, its descriptor is %d", err, r.Int())
	}
	w = newWorker(link.Identity{}, master)
	master.onSend = func(f wire.Frame) { go w.handle(packet(wire.Inherit, f.Call)) }
	if _, err := w.Inherit(t.Context()); !errors.Is(err, errNoPipe) {
		t.Errorf("an answer without a pipe: %v", err)
	}
	w = newWorker(link.Identity{}, master)
	w.markDisconnected(nil)
	if _, err := w.Inherit(t.Context()); !errors.Is(err, ipc.ErrDisconnected) {
		t.Errorf("without a master: %v", err)
	}
}
