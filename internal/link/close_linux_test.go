//go:build linux

package link

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// Flush waits for a slow reader until its context ends.
func TestFlush(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	if err := a.Flush(within(t)); err != nil {
		t.Errorf("nothing to flush: %v", err)
	}
	n := fill(t, a, 100_000)
	ctx, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	wantErr(t, "nobody reads", a.Flush(ctx), context.DeadlineExceeded)
	flushed := make(chan error, 2)
	for range 2 {
		go func() { flushed <- a.Flush(within(t)) }()
	}
	receiveN(t, b, n)
	for range 2 {
		if err := await(t, "flush", flushed); err != nil {
			t.Error(err)
		}
	}
}

// After Flush and Close, a reader that starts later still gets all frames.
func TestFlushThenClose(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	for i := range 100 {
		mustSend(t, a, message(fmt.Sprint(i)), someFD(t, fmt.Sprint(i)))
	}
	if err := a.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	a.Close()
	got := await(t, "all", receiveAll(b))
	if len(got.packets) != 100 || got.err != io.EOF {
		t.Fatalf("%d packets, error %v", len(got.packets), got.err)
	}
	for i, p := range got.packets {
		if c := contentOf(t, p.Files[0]); c != fmt.Sprint(i) || string(p.Body) != c {
			t.Errorf("frame %d: %q with %q", i, p.Body, c)
		}
	}
}

// After CloseWrite the other side gets all frames and io.EOF. This side still receives,
// and its Send fails.
func TestCloseWrite(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	n := fill(t, a, 100_000)
	closed := make(chan error, 1)
	go func() { closed <- a.CloseWrite(within(t)) }()
	got := await(t, "all", receiveAll(b))
	if err := await(t, "close write", closed); err != nil {
		t.Error(err)
	}
	if len(got.packets) != n || got.err != io.EOF {
		t.Errorf("%d packets of %d, error %v", len(got.packets), n, got.err)
	}
	wantErr(t, "send", a.Send(message("x")), ErrClosed)
	if err := a.CloseWrite(within(t)); err != nil {
		t.Errorf("again: %v", err)
	}
	mustSend(t, b, message("still there?"))
	if p := receiveN(t, a, 1)[0]; string(p.Body) != "still there?" {
		t.Errorf("got %q", p.Body)
	}
	b.Close()
	if _, err := a.Receive(); err != io.EOF {
		t.Errorf("after the other's death: %v", err)
	}
}

// Send fails as soon as CloseWrite has begun: the other side would not get the frame.
func TestCloseWriteRefusesAtOnce(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	block(t, a)
	closed := make(chan error, 1)
	go func() { closed <- a.CloseWrite(within(t)) }()
	sent := 0
	for end := time.Now().Add(stuck); a.Send(wire.Frame{Type: wire.Ready}) == nil; sent++ {
		if time.Sleep(time.Millisecond); time.Now().After(end) {
			t.Fatal("frames are taken all the time")
		}
	}
	select {
	case err := <-closed:
		t.Errorf("nothing was read, and CloseWrite is done: %v", err)
	default:
	}
	if got := await(t, "all", receiveAll(b)); got.err != io.EOF || len(got.packets) != 1+sent {
		t.Errorf("%d packets, %d were sent; error %v", len(got.packets), 1+sent, got.err)
	}
	if err := await(t, "close write", closed); err != nil {
		t.Error(err)
	}
}

// CloseWrite returns when its context ends. This side still receives.
func TestCloseWriteGivesUp(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	block(t, a)
	waiting := someFD(t, "")
	mustSend(t, a, message("x"), waiting)
	ctx, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	wantErr(t, "nobody reads", a.CloseWrite(ctx), context.DeadlineExceeded)
	awaitClosed(t, []*descriptor.FD{waiting})
	mustSend(t, b, message("still there?"))
	if p := receiveN(t, a, 1)[0]; string(p.Body) != "still there?" {
		t.Errorf("got %q", p.Body)
	}
	got := await(t, "the other side", receiveAll(b))
	wantErr(t, "the other side", got.err, wire.ErrTruncated)
}

// Close ends all blocked calls.
func TestCloseWakes(t *testing.T) {
	noneLeft(t)
	a, _ := pairOfLinks(t)
	fill(t, a, 100_000)
	waits := map[string]func() error{
		"receive":     func() error { _, err := a.Receive(); return err },
		"flush":       func() error { return a.Flush(context.Background()) },
		"close write": func() error { return a.CloseWrite(context.Background()) },
	}
	ended := map[string]chan error{}
	for name, wait := range waits {
		c := make(chan error, 1)
		ended[name] = c
		go func() { c <- wait() }()
	}
	time.Sleep(moment)
	for name, c := range ended {
		select {
		case err := <-c:
			t.Errorf("%s did not wait: %v", name, err)
		default:
		}
	}
	closes := make(chan error, 3)
	for range 3 {
		go func() { closes <- a.Close() }()
	}
	for range 3 {
		if err := await(t, "close", closes); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	for name, c := range ended {
		wantErr(t, name, await(t, name, c), ErrClosed)
	}
	await(t, "done", a.Done())
	if err := a.Close(); err != nil {
		t.Errorf("again: %v", err)
	}
}

// Close also closes the descriptors of the frame that is being written.
func TestCloseClosesWhatIsBeingSent(t *testing.T) {
	noneLeft(t)
	for range 20 {
		a, _ := pairOfLinks(t)
		stuff(t, a)
		files := []*descriptor.FD{dupOf(t), dupOf(t)}
		mustSend(t, a, wire.Frame{Type: wire.Socket}, files[0]) // is tried at once, and waits
		mustSend(t, a, wire.Frame{Type: wire.Socket}, files[1])
		time.Sleep(moment / 10)
		a.Close()
		awaitClosed(t, files)
	}
}

// stuff fills the kernel's buffer without the link.
func stuff(t *testing.T, l *Link) {
	t.Helper()
	junk := make([]byte, 1000)
	if err := l.raw.Control(func(fd uintptr) {
		for err := error(nil); err == nil; {
			_, err = sendmsg(int(fd), junk, nil)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// Close at any time during a Send leaves no descriptor open and no call blocked.
func TestCloseWhileSending(t *testing.T) {
	noneLeft(t)
	for i := range 100 {
		a, b := pairOfLinks(t)
		sent := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				err = a.Send(wire.Frame{Type: wire.Socket, Body: bytes.Repeat([]byte("b"), 3000)}, dupOf(t))
			}
			sent <- err
		}()
		all := receiveAll(b)
		time.Sleep(time.Duration(i%10) * 100 * time.Microsecond)
		closer := a
		if i%2 == 0 {
			closer = b
		}
		closer.Close()
		wantErr(t, "send", await(t, "sender", sent), ErrClosed)
		a.Close()
		await(t, "all", all).bodies()
		b.Close()
	}
}

// dupOf returns a descriptor of the null device.
func dupOf(t testing.TB) *descriptor.FD {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := descriptor.DupOf(null)
	if err != nil {
		t.Error(err)
	}
	return fd
}
