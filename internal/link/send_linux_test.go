//go:build linux

package link

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// fill sends messages until one is refused, and says how many went.
func fill(t testing.TB, l *Link, size int) (n int) {
	t.Helper()
	for {
		err := l.Send(wire.Frame{Type: wire.Message, Body: numbered(n, size)})
		if errors.Is(err, ErrQueueFull) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

// TestSendNeverBlocks: with a peer that doesn't read, messages are refused at a bound,
// frames of our own are not, and all that was taken is delivered in the end.
func TestSendNeverBlocks(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	begin := time.Now()
	n := fill(t, a, 10_000)
	refused := someFD(t, "refused")
	wantErr(t, "one more", a.Send(message("one more"), refused), ErrQueueFull)
	if refused.Int() >= 0 {
		t.Error("the descriptor of a refused message is open")
	}
	mustSend(t, a, wire.Frame{Type: wire.Disconnect})
	if d := time.Since(begin); d > stuck/2 {
		t.Errorf("it took %v", d)
	}
	if queued := n * 10_000; queued < MaxQueue || queued > MaxQueue+1<<20 {
		t.Errorf("%d bytes were taken", queued)
	}
	for i, p := range receiveN(t, b, n+1)[:n] {
		if err := checkNumbered(p.Body, i, 10_000); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	mustSend(t, a, message("there is room again"))
}

// TestQueueOfDescriptors: the bound is on descriptors too, which cost more than bytes.
func TestQueueOfDescriptors(t *testing.T) {
	noneLeft(t)
	a, _ := pairOfLinks(t)
	fill(t, a, 100_000)
	drained, _ := pairOfLinks(t)
	block(t, drained)
	n := 0
	for drained.Send(message(""), someFD(t, "")) == nil {
		n++
	}
	if most := MaxQueue/fdCost + 1; n > most {
		t.Errorf("%d descriptors wait, want at most %d", n, most)
	}
}

// block fills the kernel's buffer, so that what is sent next waits.
func block(t testing.TB, l *Link) {
	t.Helper()
	mustSend(t, l, wire.Frame{Type: wire.Message, Body: make([]byte, 1<<20)})
	time.Sleep(moment)
}

// If the peer reads nothing, the link ends when its queue is full, and the queued
// descriptors are closed.
func TestHardLimit(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	waiting := someFD(t, "")
	block(t, a)
	mustSend(t, a, wire.Frame{Type: wire.Socket}, waiting)
	var err error
	n := 0
	for ; err == nil && n < 2*hardQueue/wire.MaxControl; n++ {
		err = a.Send(wire.Frame{Type: wire.Ready, Body: make([]byte, wire.MaxControl)})
	}
	wantErr(t, "send", err, ErrQueueFull)
	wantErr(t, "send", err, ErrClosed)
	if most := hardQueue / wire.MaxControl; n < most-20 || n > most+2 {
		t.Errorf("ended after %d frames of 64 KB, want %d", n, most)
	}
	await(t, "done", a.Done())
	if _, err := a.Receive(); !errors.Is(err, ErrClosed) {
		t.Errorf("receive: %v", err)
	}
	a.Close()
	awaitClosed(t, []*descriptor.FD{waiting})
	got := await(t, "the other side", receiveAll(b))
	wantErr(t, "the other side", got.err, wire.ErrTruncated)
}

// Send closes the descriptors, whether it succeeds or fails.
func TestSendOwns(t *testing.T) {
	closed := func() *descriptor.FD { f := someFD(t, ""); f.Close(); return f }
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, a, b *Link)
		frame   wire.Frame
		files   func(t *testing.T) []*descriptor.FD
		want    error
	}{
		{name: "sent"},
		{name: "closed", prepare: func(t *testing.T, a, b *Link) { a.Close() }, want: ErrClosed},
		{name: "half closed", prepare: func(t *testing.T, a, b *Link) { a.CloseWrite(within(t)) }, want: ErrClosed},
		{name: "body too large", frame: wire.Frame{Body: make([]byte, wire.MaxBody+1)}, want: wire.ErrTooLarge},
		{name: "one is closed", files: func(t *testing.T) []*descriptor.FD { return []*descriptor.FD{someFD(t, ""), closed(), someFD(t, "")} }, want: wire.ErrDescriptors},
		{name: "too many", files: func(t *testing.T) (all []*descriptor.FD) {
			for range wire.MaxFDs + 1 {
				all = append(all, someFD(t, ""))
			}
			return all
		}, want: wire.ErrDescriptors},
		{name: "waits, then closed", prepare: func(t *testing.T, a, b *Link) { block(t, a) }},
		{name: "waits, then the peer goes", prepare: func(t *testing.T, a, b *Link) {
			block(t, a)
			time.AfterFunc(moment, func() { b.Close() })
		}},
		{name: "the peer has gone", prepare: func(t *testing.T, a, b *Link) { b.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noneLeft(t)
			a, b := pairOfLinks(t)
			if tt.files == nil {
				tt.files = func(t *testing.T) []*descriptor.FD { return []*descriptor.FD{someFD(t, "x")} }
			}
			files := tt.files(t)
			if tt.prepare != nil {
				tt.prepare(t, a, b)
			}
			tt.frame.Type = wire.Socket
			err := a.Send(tt.frame, files...)
			if (err == nil) != (tt.want == nil) || !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if err == nil {
				ctx, cancel := context.WithTimeout(context.Background(), 5*moment)
				defer cancel()
				_ = a.Flush(ctx)
				a.Close()
			}
			awaitClosed(t, files)
		})
	}
}

// TestSendAfterAnError goes on: a frame that can't be sent harms no other.
func TestSendAfterAnError(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	wantErr(t, "too large", a.Send(wire.Frame{Type: wire.Message, Body: make([]byte, wire.MaxBody+1)}), wire.ErrTooLarge)
	if n := len(a.out.queue); n != 0 {
		t.Errorf("%d segments of nothing wait", n)
	}
	mustSend(t, a, message("one"))
	wantErr(t, "closed descriptor", a.Send(message("x"), descriptor.New(-1)), wire.ErrDescriptors)
	mustSend(t, a, message("two"))
	for i, p := range receiveN(t, b, 2) {
		if want := []string{"one", "two"}[i]; string(p.Body) != want {
			t.Errorf("got %q, want %q", p.Body, want)
		}
	}
}

// A Send that finds many frames of other goroutines queued writes some of them. Another
// goroutine writes the rest.
func TestSendWritesSome(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	const n = 3 * sendSegments
	a.mu.Lock()
	a.out.writing = true // as Send does when no goroutine writes
	for range n {
		if err := a.out.add(wire.Frame{Type: wire.Message, FDs: 1}, []*descriptor.FD{someFD(t, "")}); err != nil { // each a segment
			t.Fatal(err)
		}
	}
	a.mu.Unlock()
	a.writeSome()
	if err := a.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, p := range receiveN(t, b, n) {
		p.Close()
	}
}

// The error of Send names the type of the frame.
func TestSendErrorNamesFrame(t *testing.T) {
	a, _ := pairOfLinks(t)
	a.Close()
	if err := a.Send(wire.Frame{Type: wire.Draining}); err == nil || !strings.HasPrefix(err.Error(), "send draining: ") {
		t.Errorf("got %q", err)
	}
}

// A descriptor that other code has closed ends the link. Only the kernel notices it.
func TestBadDescriptorEndsTheLink(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	some := someFD(t, "")
	n, err := descriptor.DupAbove(some.Int(), 500) // a number that nothing else gets meanwhile
	if err != nil {
		t.Fatal(err)
	}
	_ = some.Close()
	if err := unix.Close(n); err != nil {
		t.Fatal(err)
	}
	_ = a.Send(message("x"), descriptor.New(n))
	await(t, "done", a.Done())
	wantErr(t, "send", a.Send(message("y")), unix.EBADF)
	_, err = a.Receive()
	wantErr(t, "receive", err, ErrClosed)
	if _, err := b.Receive(); err != io.EOF {
		t.Errorf("the other side: %v", err)
	}
}
