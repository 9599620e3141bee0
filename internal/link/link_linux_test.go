//go:build linux

package link

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

func TestRoundTrip(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	for _, end := range []struct{ from, to *Link }{{a, b}, {b, a}} {
		sent := wire.Frame{Type: wire.Socket, Call: 42, Body: []byte(`{"id":7}`)}
		mustSend(t, end.from, sent)
		got := receiveN(t, end.to, 1)[0]
		if diff := cmp.Diff(sent, got.Frame); diff != "" || got.Files != nil {
			t.Errorf("%d files (-want +got):\n%s", len(got.Files), diff)
		}
	}
}

func TestRoundTripOfDescriptors(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	first, second := someFD(t, "first"), someFD(t, "second")
	mustSend(t, a, message("two"), first, second)
	got := receiveN(t, b, 1)[0]
	if got.FDs != 2 || len(got.Files) != 2 {
		t.Fatalf("%d announced, %d came", got.FDs, len(got.Files))
	}
	for i, f := range got.Files {
		flags, err := unix.FcntlInt(uintptr(f.Int()), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d is not close-on-exec: flags %#x, error %v", i, flags, err)
		}
	}
	if one, two := contentOf(t, got.Files[0]), contentOf(t, got.Files[1]); one != "first" || two != "second" {
		t.Errorf("got %q, %q", one, two)
	}
	awaitClosed(t, []*descriptor.FD{first, second})
}

// Frames may carry as many descriptors as wire.MaxFDs.
func TestMostDescriptors(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	for range 3 {
		var files []*descriptor.FD
		for i := range wire.MaxFDs {
			files = append(files, someFD(t, fmt.Sprint(i)))
		}
		mustSend(t, a, message(""), files...)
	}
	for _, p := range receiveN(t, b, 3) {
		for i, f := range p.Files {
			if got := contentOf(t, f); got != fmt.Sprint(i) {
				t.Fatalf("descriptor %d is %q", i, got)
			}
		}
	}
}

// Frames of up to 8 MB arrive whole and in order, each with its descriptors.
func TestOrder(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	size := func(i int) int {
		return []int{0, 100, 1 << 20, 0, 70_000, wire.MaxBody - 20, 1, 3 << 20}[i%8]
	}
	const n = 24
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			var files []*descriptor.FD
			for range i % 3 {
				files = append(files, someFD(t, fmt.Sprint(i)))
			}
			f := wire.Frame{Type: wire.Listen, Body: numbered(i, size(i))}
			if size(i) > wire.MaxControl-20 {
				f.Type = wire.Message
				_ = a.Flush(within(t)) // there is room for it then
			}
			err := a.Send(f, files...)
			if err == nil && i%5 == 4 {
				err = a.Flush(within(t))
			}
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- a.CloseWrite(within(t))
	}()
	got := await(t, "all", receiveAll(b))
	if err := await(t, "sender", sent); err != nil || got.err != io.EOF || len(got.packets) != n {
		t.Fatalf("sender: %v; receiver: %d packets, %v", err, len(got.packets), got.err)
	}
	for i, p := range got.packets {
		if err := checkNumbered(p.Body, i, size(i)); err != nil {
			t.Error(err)
		}
		if len(p.Files) != i%3 {
			t.Errorf("frame %d: %d descriptors", i, len(p.Files))
		}
		for _, f := range p.Files {
			if c := contentOf(t, f); c != fmt.Sprint(i) {
				t.Errorf("frame %d came with the descriptor of frame %s", i, c)
			}
		}
	}
}

// With many senders, the frames of each goroutine stay in order, and each descriptor stays
// with its frame.
func TestManySenders(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	const senders, each = 8, 300
	var wg sync.WaitGroup
	for s := range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				f := wire.Frame{Type: wire.Listen, Call: uint32(s*each + i), Body: bytes.Repeat([]byte("."), i*i%5000)}
				var files []*descriptor.FD
				if i%50 == 7 {
					files = []*descriptor.FD{someFD(t, fmt.Sprint(f.Call))}
				}
				if err := a.Send(f, files...); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	next := make([]int, senders)
	for range senders * each {
		if !expectNext(t, b, next, each) {
			break
		}
		if sum(next) == senders*each {
			break
		}
	}
	wg.Wait()
}

func sum(all []int) (n int) {
	for _, v := range all {
		n += v
	}
	return n
}

func expectNext(t *testing.T, l *Link, next []int, each int) bool {
	packets, err := l.Receive()
	if err != nil {
		t.Error(err)
		return false
	}
	for _, p := range packets {
		s, i := int(p.Call)/each, int(p.Call)%each
		if i != next[s] || len(p.Body) != i*i%5000 {
			t.Errorf("sender %d: frame %d of %d bytes came, %d expected", s, i, len(p.Body), next[s])
		}
		next[s]++
		for _, f := range p.Files {
			if c := contentOf(t, f); c != fmt.Sprint(p.Call) {
				t.Errorf("frame %d came with the descriptor of %s", p.Call, c)
			}
		}
	}
	return true
}

// Two sides that write before they read don't block each other.
func TestBothWaysAtOnce(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	body := numbered(1, 3<<20)
	for _, l := range []*Link{a, b} {
		mustSend(t, l, wire.Frame{Type: wire.Message, Body: body})
	}
	for _, l := range []*Link{a, b} {
		if p := receiveN(t, l, 1)[0]; !bytes.Equal(p.Body, body) {
			t.Errorf("%d bytes came", len(p.Body))
		}
	}
}

// Skippable frames of a newer peer are skipped, and their descriptors closed.
func TestSkipped(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	mustSend(t, a, wire.Frame{Type: wire.Skippable, Body: []byte("news")}, someFD(t, "x"), someFD(t, "y"))
	mustSend(t, a, wire.Frame{Type: 0xff})
	mustSend(t, a, message("known"), someFD(t, "z"))
	p := receiveN(t, b, 1)[0]
	if got := contentOf(t, p.Files[0]); string(p.Body) != "known" || got != "z" {
		t.Errorf("got %q with %q", p.Body, got)
	}
}

// Send copies the body.
func TestSendCopies(t *testing.T) {
	a, b := pairOfLinks(t)
	body := make([]byte, 1<<20)
	for i := range 3 {
		body[0] = byte(i)
		mustSend(t, a, wire.Frame{Type: wire.Message, Body: body})
	}
	for i, p := range receiveN(t, b, 3) {
		if p.Body[0] != byte(i) {
			t.Errorf("frame %d has the body of %d", i, p.Body[0])
		}
	}
}

// Send copies no large body that is fixed: many links may have it in their queues. Frames before and after it
// arrive in their order.
func TestSendFixed(t *testing.T) {
	a, b := pairOfLinks(t)
	body := bytes.Repeat([]byte("x"), 8<<20)
	before := allocated()
	for i := range 3 {
		mustSend(t, a, wire.Frame{Type: wire.Message, Call: uint32(10 * i), Body: []byte("small")})
		mustSend(t, a, wire.Frame{Type: wire.Broadcast, Call: uint32(10*i + 1), Body: body, Fixed: true})
		if n := allocated() - before; n > 1<<20 {
			t.Errorf("%d bytes were allocated to send", n)
		}
		mustSend(t, a, wire.Frame{Type: wire.Ready, Call: uint32(10*i + 2)})
		for k, p := range receiveN(t, b, 3) {
			if p.Call != uint32(10*i+k) || k == 1 && !bytes.Equal(p.Body, body) || k == 0 && string(p.Body) != "small" {
				t.Errorf("frame %d of round %d is %v, call %d, with %d bytes", k, i, p.Type, p.Call, len(p.Body))
			}
		}
		before = allocated()
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// An idle link has no goroutine and little memory, also after it has been busy.
func TestIdle(t *testing.T) {
	noneLeft(t)
	before := runtime.NumGoroutine()
	a, b := pairOfLinks(t)
	done := make(chan int)
	go func() {
		n := 0
		for p, err := b.Receive(); err == nil; p, err = b.Receive() {
			n += len(p)
		}
		done <- n
	}()
	for range 10 {
		mustSend(t, a, wire.Frame{Type: wire.Message, Body: make([]byte, 30_000)})
	}
	if err := a.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(stuck)
	for runtime.NumGoroutine() > before+1 && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine() - before - 1; n > 0 {
		t.Errorf("%d goroutines run for two idle links", n)
	}
	time.Sleep(moment) // b has read all and waits
	a.Close()
	if n := await(t, "reader", done); n != 10 {
		t.Errorf("%d frames came", n)
	}
	if n := len(b.in.dec.Space()); n > 4<<10 {
		t.Errorf("an idle link holds %d bytes to read into", n)
	}
}

// The link works without O_NONBLOCK, which another process that shares the open file may
// have cleared.
func TestBlockingSocket(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	for _, l := range []*Link{a, b} {
		var err error
		if cerr := l.raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), false) }); cerr != nil || err != nil {
			t.Fatal(cerr, err)
		}
	}
	filled := make(chan int, 1)
	go func() { filled <- fill(t, a, 10_000) }()
	await(t, "nobody reads", filled)
	all := receiveAll(a)
	time.Sleep(moment)
	a.Close()
	wantErr(t, "receive", await(t, "receive", all).err, ErrClosed)
}

// NewLink owns fd also if it fails.
func TestNewLinkTakes(t *testing.T) {
	noneLeft(t)
	for name, fd := range map[string]*descriptor.FD{"file": someFD(t, ""), "datagrams": datagramFD(t), "closed": descriptor.New(-1)} {
		if l, err := New(fd); err == nil {
			t.Errorf("%s: is a link", name)
			l.Close()
		}
		if fd.Int() >= 0 {
			t.Errorf("%s: still open", name)
		}
	}
}

func datagramFD(t *testing.T) *descriptor.FD {
	n, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return descriptor.New(n)
}
