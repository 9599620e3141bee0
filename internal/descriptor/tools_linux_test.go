//go:build linux

package descriptor

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// openFiles returns the descriptors of this process.
func openFiles(t testing.TB) (all []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if what, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil { // else it is ReadDir's own
			all = append(all, e.Name()+" "+what)
		}
	}
	return all
}

// noneLeft makes the test fail if it leaves descriptors open or closes one too many.
// It is called first, because cleanups run last to first.
func noneLeft(t testing.TB) {
	t.Helper()
	openPoller(t)
	before := openFiles(t)
	t.Cleanup(func() {
		t.Helper()
		if after := openFiles(t); !slices.Equal(before, after) {
			t.Errorf("descriptors before:\n%q\nafter:\n%q", before, after)
		}
	})
}

// openPoller makes the runtime open the descriptors of its poller.
func openPoller(t testing.TB) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
}

// someFD returns a file in memory that contentOf reads back. The caller closes it.
func someFD(t testing.TB, content string) *FD {
	t.Helper()
	n, err := unix.MemfdCreate("some file", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(n, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return New(n)
}

// contentOf returns what someFD has written, and closes fd.
func contentOf(t testing.TB, fd *FD) string {
	t.Helper()
	f := os.NewFile(uintptr(fd.Take()), "received")
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// null opens the null device. The test closes it.
func null(t *testing.T) *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
