//go:build linux

package sharedfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

func open(t *testing.T, tab *Table, name string, size int64) *os.File {
	t.Helper()
	fd, err := tab.Open(name, size)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	f, err := fd.File(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The same name is the same file, of the size that was asked for first, and nobody can change
// its size: a process that has mapped it would die of that.
func TestOneFileForAName(t *testing.T) {
	var tab Table
	defer tab.Close()
	a, b, c := open(t, &tab, "a", 8192), open(t, &tab, "a", 1<<20), open(t, &tab, "c", 1)
	if _, err := a.WriteAt([]byte("seventeen"), 4000); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 9)
	if _, err := b.ReadAt(got, 4000); err != nil || string(got) != "seventeen" {
		t.Errorf("%q, %v", got, err)
	}
	for f, want := range map[*os.File]int64{a: 8192, b: 8192, c: 1} {
		info, err := f.Stat()
		if err != nil || info.Size() != want {
			t.Errorf("%s has %v bytes, want %d (%v)", f.Name(), info, want, err)
		}
		for _, size := range []int64{0, 1 << 20} {
			if err := f.Truncate(size); !errors.Is(err, syscall.EPERM) {
				t.Errorf("%s is made %d bytes long: %v", f.Name(), size, err)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	var tab Table
	defer tab.Close()
	for _, tc := range []struct {
		name string
		size int64
	}{{"", 1}, {strings.Repeat("n", MaxName+1), 1}, {"a", 0}, {"a", -1}, {"a", MaxSize + 1}} {
		if _, err := tab.Open(tc.name, tc.size); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%.10q with %d bytes: %v", tc.name, tc.size, err)
		}
	}
	for i := range MaxFiles {
		open(t, &tab, fmt.Sprint(i), MaxSize) // takes no memory until it is written
	}
	if _, err := tab.Open("one more", 1); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("one more file: %v", err)
	}
	open(t, &tab, "3", 1)
}

// A worker gets a descriptor, or the error.
func TestHandle(t *testing.T) {
	var tab Table
	defer tab.Close()
	var got wire.Frame
	var fds int
	send := func(f wire.Frame, files ...*descriptor.FD) error {
		got, fds = f, len(files)
		descriptor.CloseAll(files)
		return nil
	}
	ask := func(body []byte) error { return tab.Handle(wire.Frame{Type: wire.Share, Call: 7, Body: body}, send) }
	if err := ask([]byte(`{"name":"a","size":4096}`)); err != nil || got.Type != wire.Shared || got.Call != 7 || fds != 1 {
		t.Errorf("%v: %v with %d", err, got, fds)
	}
	if err := ask([]byte(`{"name":"b","size":-1}`)); err != nil || got.Type != wire.Failed || got.Call != 7 || fds != 0 {
		t.Errorf("%v: %v with %d", err, got, fds)
	}
	if !bytes.Contains(got.Body, []byte("22")) { // EINVAL
		t.Errorf("the error is %s", got.Body)
	}
	if err := ask([]byte(`{`)); err == nil {
		t.Error("a body that is no JSON is no error")
	}
}
