//go:build linux

package sharedfile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

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
	ask := func(body []byte) error {
		return tab.Handle(1, wire.Frame{Type: wire.Share, Call: 7, Body: body}, true, send)
	}
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

// A file that only workers have asked for which may be an attacker's is closed when they are gone, also in
// a master that has adopted it. What the program needs stays.
func TestCloseSpare(t *testing.T) {
	var tab Table
	defer tab.Close()
	ask := func(worker int, name string, keep bool) {
		f := wire.Frame{Type: wire.Share, Body: wire.Body(wire.ShareBody{Name: name, Size: 1})}
		err := tab.Handle(worker, f, keep, func(_ wire.Frame, files ...*descriptor.FD) error { descriptor.CloseAll(files); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	ask(1, "kept", true)
	ask(2, "kept", false)
	ask(2, "spare", false)
	ask(3, "of two", false)
	ask(2, "of two", false)
	ask(2, "kept later", false)
	open(t, &tab, "kept later", 1)
	var next Table
	defer next.Close()
	for name, fd := range tab.copies(t) {
		next.Adopt(name, !tab.files[name].kept, fd)
	}
	for _, step := range []struct {
		gone  int
		again bool
		want  string
	}{
		{1, false, "[kept kept later of two spare]"},
		{2, true, "[kept kept later of two]"},
		{3, true, "[kept kept later]"},
	} {
		if again := tab.Gone(step.gone); again != step.again {
			t.Errorf("after the end of worker %d: close later: %v", step.gone, again)
		}
		if tab.CloseSpare(); tab.names() != step.want {
			t.Errorf("after the end of worker %d: %s, want %s", step.gone, tab.names(), step.want)
		}
	}
	next.Gone(9)
	if next.CloseSpare(); next.names() != "[kept kept later]" {
		t.Errorf("in the next master: %s", next.names())
	}
}

func (t *Table) names() string { return fmt.Sprint(slices.Sorted(maps.Keys(t.files))) }

func (t *Table) copies(tt *testing.T) map[string]*descriptor.FD {
	all := map[string]*descriptor.FD{}
	if err := t.Each(map[string]bool{}, func(name string, _ bool, fd *descriptor.FD) { all[name] = fd }); err != nil {
		tt.Fatal(err)
	}
	return all
}

func openQueue(t *testing.T, tab *Table, name string) *os.File {
	t.Helper()
	fd, err := tab.OpenQueue(name)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd.Take()), name)
	t.Cleanup(func() { f.Close() })
	return f
}

// A queue has whole datagrams, more of them than net.unix.max_dgram_qlen, which is 10 on many machines. It is the
// same for every holder, also after another master has adopted it, and never a file.
func TestQueue(t *testing.T) {
	var tab, next Table
	defer tab.Close()
	defer next.Close()
	a, b := openQueue(t, &tab, "q"), openQueue(t, &tab, "q")
	for i := range 50 {
		if _, err := fmt.Fprintf(a, "datagram %d", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.Each(map[string]bool{}, next.Adopt); err != nil {
		t.Fatal(err)
	}
	c := openQueue(t, &next, "q")
	for i := range 50 {
		from, buf := []*os.File{b, c}[i%2], make([]byte, 100)
		if n, err := from.Read(buf); string(buf[:n]) != fmt.Sprintf("datagram %d", i) || err != nil {
			t.Fatalf("datagram %d is %q, %v", i, buf[:n], err)
		}
	}
	for _, tab := range []*Table{&tab, &next} {
		if _, err := tab.Open("q", 1); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("a queue opened as a file: %v", err)
		}
		open(t, tab, "f", 1)
		if _, err := tab.OpenQueue("f"); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("a file opened as a queue: %v", err)
		}
	}
}

// Files and queues have limits of their own.
func TestQueueLimit(t *testing.T) {
	var tab Table
	defer tab.Close()
	for i := range MaxQueues {
		fd, err := tab.OpenQueue(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		fd.Close()
	}
	if _, err := tab.OpenQueue("one more"); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("one more: %v", err)
	}
	open(t, &tab, "a file", 1)
}

// A process that doesn't have the descriptor can't send to a queue by the name that /proc/net/unix shows,
// nor does anything come of what it sent before the socket was connected.
func TestQueueIsClosedToOthers(t *testing.T) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(n)
	if err := unix.Bind(n, &unix.SockaddrUnix{}); err != nil {
		t.Fatal(err)
	}
	sa, _ := unix.Getsockname(n)
	addr := &net.UnixAddr{Name: sa.(*unix.SockaddrUnix).Name, Net: "unixgram"}
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.WriteToUnix([]byte("early"), addr); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(n, sa); err != nil {
		t.Fatal(err)
	}
	discard(n)
	if _, err := other.WriteToUnix([]byte("late"), addr); !errors.Is(err, syscall.EPERM) {
		t.Errorf("another socket sends to %q: %v", addr.Name, err)
	}
	if c, err := net.DialUnix("unixgram", nil, addr); err == nil {
		c.Close()
		t.Error("another socket connects")
	}
	if n, _, err := unix.Recvfrom(n, make([]byte, 10), 0); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("the queue has %d bytes, %v", n, err)
	}
}

// A queue that OpenQueue has made is connected.
func TestQueueOfATableIsClosedToOthers(t *testing.T) {
	var tab Table
	defer tab.Close()
	fd, err := tab.OpenQueue("q")
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	sa, _ := unix.Getsockname(fd.Int())
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	to := &net.UnixAddr{Name: sa.(*unix.SockaddrUnix).Name, Net: "unixgram"}
	if _, err := other.WriteToUnix([]byte("made up"), to); !errors.Is(err, syscall.EPERM) {
		t.Errorf("another socket sends to %q: %v", to.Name, err)
	}
}

// What a table has can be taken up by another, with what is in it, and nothing else can.
func TestTakeUp(t *testing.T) {
	var tab, next Table
	defer tab.Close()
	defer next.Close()
	f := open(t, &tab, "numbers", 8)
	if _, err := f.WriteAt([]byte("7"), 0); err != nil {
		t.Fatal(err)
	}
	queue, err := tab.OpenQueue("queue")
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	changes := tab.Changes()
	tab.Files(func(name string, spare bool, fd *descriptor.FD) {
		if err := next.TakeUp(name, spare, fd); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	b := make([]byte, 1)
	if _, err := open(t, &next, "numbers", 8).ReadAt(b, 0); err != nil || b[0] != '7' {
		t.Errorf("it has %q, %v", b, err)
	}
	if next.Changes() != 2 || tab.Changes() != changes {
		t.Errorf("%d and %d changes", next.Changes(), tab.Changes())
	}
	other, err := next.OpenQueue("queue")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := unix.Write(queue.Int(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Read(other.Int(), b); err != nil || b[0] != 'x' {
		t.Errorf("the queue has %q, %v", b, err)
	}
	refuses(t, &next)
}

// refuses checks what isn't taken up, and is closed.
func refuses(t *testing.T, tab *Table) {
	t.Helper()
	loose, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(loose, 8); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	stream, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{"a file without seals": loose, "a pair": pair[0], "a stream": stream, "a device": null} {
		if err := tab.TakeUp(what, false, descriptor.New(n)); err == nil {
			t.Errorf("%s is taken up", what)
		}
		if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil {
			t.Errorf("%s is open", what)
		}
	}
	fd, err := create(8)
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.TakeUp(strings.Repeat("x", MaxName+1), false, fd); err == nil {
		t.Error("a long name is taken up")
	}
}
