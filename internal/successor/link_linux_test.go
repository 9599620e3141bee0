//go:build linux

package successor

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// ends returns a link's old end, and the file that the new master gets.
func ends(t *testing.T) (*Link, *os.File) {
	t.Helper()
	raw, end, err := link.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close(); _ = end.Close() })
	return NewLink(raw), end
}

// received reads l to its end.
func received(l *Link) (kinds []Kind, files []*descriptor.FD, err error) {
	err = l.Read(func(m *Message, more []*descriptor.FD) {
		kinds = append(kinds, m.Kind)
		files = append(files, more...)
	})
	return kinds, files, err
}

func someFile(t *testing.T) *descriptor.FD {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd, err := descriptor.DupOf(null)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// The new master says hello before anything else. What was sent before Close arrives.
func TestDial(t *testing.T) {
	old, end := ends(t)
	l, err := Dial(end)
	if err != nil {
		t.Fatal(err)
	}
	_ = end.Close()
	file := someFile(t)
	l.Send(&Message{Kind: Ready}, file)
	l.Close()
	for end := time.Now().Add(10 * time.Second); file.Int() >= 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a file that was sent is open")
		}
	}
	kinds, files, err := received(old)
	defer descriptor.CloseAll(files)
	if !slices.Equal(kinds, []Kind{Hello, Ready}) || len(files) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("%v came with %d files, then %v", kinds, len(files), err)
	}
	l.Send(&Message{Kind: Ready}) // after the end: nothing happens
}

// What can't be read ends the link, and nothing of it stays open.
func TestNonsense(t *testing.T) {
	old, end := ends(t)
	fd, err := descriptor.DupOf(end)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := link.New(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	before := descriptors(t)
	for _, body := range []string{`{"kind":"hello"}`, `{"kind":7}`, `{"kind":"ready"}`} {
		if err := raw.Send(wire.Frame{Type: wire.Message, Body: []byte(body)}, someFile(t)); err != nil {
			t.Fatal(err)
		}
	}
	kinds, files, err := received(old)
	if !slices.Equal(kinds, []Kind{Hello}) || !errors.Is(err, wire.ErrBody) {
		t.Errorf("%v came, then %v; want hello, then %v", kinds, err, wire.ErrBody)
	}
	descriptor.CloseAll(files)
	if err := raw.Flush(t.Context()); err != nil && !errors.Is(err, link.ErrClosed) {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Second); descriptors(t) > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, %d before", descriptors(t), before)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// A process that nobody has started as a successor has no predecessor, and ignores
// tableflip's variable where it is alone.
func TestNoPredecessor(t *testing.T) {
	if l, ok, err := predecessor.take(); l != nil || ok || err != nil {
		t.Errorf("a predecessor: %v, %v, %v", l, ok, err)
	}
	t.Setenv(link.EnvTableflip, "yes")
	if i := inherit(); i.dial != nil || os.Getenv(link.EnvTableflip) == "" {
		t.Error("tableflip's variable alone is taken for an upgrade")
	}
}

// A link that can't be taken up is an error of the first Run, and of no other.
func TestPredecessorIsTakenOnce(t *testing.T) {
	i := &inherited{dial: func() (*Link, error) { return nil, errTest }}
	if _, ok, err := i.take(); !ok || !errors.Is(err, errTest) {
		t.Errorf("first: %v, %v", ok, err)
	}
	if _, ok, err := i.take(); ok || err != nil {
		t.Errorf("then: %v, %v", ok, err)
	}
}
