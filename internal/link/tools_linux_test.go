//go:build linux

package link

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// stuck is how long a test waits before it fails. To see that a call blocks, tests wait
// for moment.
const (
	stuck  = 20 * time.Second
	moment = 20 * time.Millisecond
)

// openFiles returns this process's descriptors and what each is open on.
func openFiles(t testing.TB) (all []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		what, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err == nil { // else it is the one that ReadDir had open
			all = append(all, e.Name()+" "+what)
		}
	}
	return all
}

// noneLeft has the test fail if it leaves descriptors open, or closes one too many.
// Call it first: cleanups run last to first.
func noneLeft(t testing.TB) {
	t.Helper()
	l, end, err := Pair() // the poller's own descriptors come with the first link
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := l.raw.Control(func(fd uintptr) { n = int(fd) }); err != nil {
		t.Fatal(err)
	}
	_, _ = end.Close(), l.Close()
	for deadline := time.Now().Add(stuck); err == nil && time.Now().Before(deadline); { // the system closes it soon
		_, err = os.Readlink(fmt.Sprint("/proc/self/fd/", n))
	}
	before := openFiles(t)
	t.Cleanup(func() {
		t.Helper()
		var after []string
		for end := time.Now().Add(stuck); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if after = openFiles(t); slices.Equal(before, after) {
				return
			}
		}
		t.Errorf("descriptors before:\n%q\nafter:\n%q", before, after)
	})
}

// awaitClosed waits until files are closed, which may be soon after the call that does it.
func awaitClosed(t testing.TB, files []*descriptor.FD) {
	t.Helper()
	for i, f := range files {
		for end := time.Now().Add(stuck); f.Int() >= 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("descriptor %d is open", i)
			}
		}
	}
}

// pairOfLinks returns a link and its other end. Both are closed with the test.
func pairOfLinks(t testing.TB) (a, b *Link) {
	t.Helper()
	a, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	b, err = linkOf(end)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

func linkOf(end *os.File) (*Link, error) {
	defer end.Close()
	fd, err := descriptor.DupOf(end)
	if err != nil {
		return nil, err
	}
	return New(fd)
}

// rawPeer returns a link, and a plain blocking socket at its other end.
func rawPeer(t testing.TB) (l *Link, peer int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	own := descriptor.New(fds[1])
	t.Cleanup(func() { own.Close() })
	mine := descriptor.New(fds[0])
	if err := mine.SetNonblock(); err != nil {
		t.Fatal(err)
	}
	if l, err = New(mine); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, fds[1]
}

// someFD returns a descriptor to send: a file in memory that contentOf reads back.
func someFD(t testing.TB, content string) *descriptor.FD {
	t.Helper()
	n, err := unix.MemfdCreate("some file", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(n, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return descriptor.New(n)
}

// contentOf reads what someFD had written, and closes fd.
func contentOf(t testing.TB, fd *descriptor.FD) string {
	t.Helper()
	f := os.NewFile(uintptr(fd.Take()), "received")
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func message(body string) wire.Frame { return wire.Frame{Type: wire.Message, Body: []byte(body)} }

func mustSend(t testing.TB, l *Link, f wire.Frame, files ...*descriptor.FD) {
	t.Helper()
	if err := l.Send(f, files...); err != nil {
		t.Fatal(err)
	}
}

// received holds the packets of a link until it ended, and the error that ended it.
type received struct {
	packets []Packet
	err     error
}

// bodies returns the bodies, and closes the descriptors.
func (r received) bodies() (all []string) {
	for _, p := range r.packets {
		p.Close()
		all = append(all, string(p.Body))
	}
	return all
}

func receiveAll(l *Link) <-chan received {
	c := make(chan received, 1)
	go func() {
		var r received
		for r.err == nil {
			var more []Packet
			more, r.err = l.Receive()
			r.packets = append(r.packets, more...)
		}
		c <- r
	}()
	return c
}

// receiveN waits for n packets.
func receiveN(t testing.TB, l *Link, n int) (packets []Packet) {
	t.Helper()
	for len(packets) < n {
		more, err := l.Receive()
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(packets), n, err)
		}
		packets = append(packets, more...)
	}
	if len(packets) > n {
		t.Fatalf("%d packets, want %d", len(packets), n)
	}
	return packets
}

func await[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(stuck):
		t.Fatalf("%s: nothing after %v", what, stuck)
	}
	return v
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	t.Cleanup(cancel)
	return ctx
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// numbered returns a body that contains its number, of n bytes or a few more.
func numbered(i, n int) []byte {
	b := []byte(strconv.Itoa(i) + ":")
	return append(b, bytes.Repeat([]byte{byte('a' + i%26)}, n)...)
}

func checkNumbered(b []byte, i, n int) error {
	if !bytes.Equal(b, numbered(i, n)) {
		return fmt.Errorf("frame %d: %d bytes that begin with %.20q", i, len(b), b)
	}
	return nil
}
