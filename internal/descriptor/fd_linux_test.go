//go:build linux

package descriptor

import (
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func flagsOf(t *testing.T, n int) (nonblock, cloexec bool) {
	t.Helper()
	status, err := unix.FcntlInt(uintptr(n), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	return status&unix.O_NONBLOCK != 0, flags&unix.FD_CLOEXEC != 0
}

// The second Close must not close another file that has got the same number since.
func TestCloseTwice(t *testing.T) {
	noneLeft(t)
	fd := someFD(t, "")
	n := fd.Int()
	if err := fd.Close(); err != nil {
		t.Fatal(err)
	}
	other := someFD(t, "other")
	if other.Int() != n {
		t.Skipf("the number %d was not used again but %d", n, other.Int())
	}
	if err := fd.Close(); err != nil || fd.Int() != -1 {
		t.Errorf("again: %v, descriptor %d", err, fd.Int())
	}
	if got := contentOf(t, other); got != "other" {
		t.Errorf("the other is %q", got)
	}
}

func TestCloseSaysWhatTheKernelSays(t *testing.T) {
	wantErr(t, "close", New(1<<20).Close(), unix.EBADF)
}

// Of many concurrent calls of Close, one closes the descriptor.
func TestCloseAtOnce(t *testing.T) {
	noneLeft(t)
	fd := someFD(t, "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := fd.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

func TestTake(t *testing.T) {
	noneLeft(t)
	fd := someFD(t, "taken")
	n := fd.Take()
	if n < 0 || fd.Int() != -1 || fd.Take() != -1 {
		t.Errorf("took %d, left %d", n, fd.Int())
	}
	if err := fd.Close(); err != nil {
		t.Error(err)
	}
	if got := contentOf(t, New(n)); got != "taken" {
		t.Errorf("got %q", got)
	}
}

func TestDup(t *testing.T) {
	noneLeft(t)
	fd := someFD(t, "twice")
	second, err := fd.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if _, cloexec := flagsOf(t, second.Int()); !cloexec || second.Int() == fd.Int() {
		t.Errorf("descriptor %d of %d: close-on-exec %v", second.Int(), fd.Int(), cloexec)
	}
	fd.Close()
	if got := contentOf(t, second); got != "twice" {
		t.Errorf("got %q", got)
	}
	_, err = fd.Dup()
	wantErr(t, "dup of a closed one", err, unix.EBADF)
}

// DupOf leaves O_NONBLOCK of the original, which both descriptors share, as it is.
func TestDupOf(t *testing.T) {
	noneLeft(t)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	unixSocket, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer unixSocket.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, s := range []any{tcp, unixSocket, udp} {
		fd, err := DupOf(s)
		if err != nil {
			t.Fatalf("%T: %v", s, err)
		}
		if nonblock, cloexec := flagsOf(t, fd.Int()); !nonblock || !cloexec {
			t.Errorf("%T: non-blocking %v, close-on-exec %v", s, nonblock, cloexec)
		}
		fd.Close()
	}
}

func TestDupOfNothing(t *testing.T) {
	_, err := DupOf("a string")
	wantErr(t, "string", err, errors.ErrUnsupported)
	f := null(t)
	f.Close()
	if _, err = DupOf(f); err == nil {
		t.Error("a closed file has a descriptor")
	}
	_, err = DupOf((*net.TCPListener)(nil))
	wantErr(t, "nil listener", err, unix.EINVAL)
}

// A listener of a descriptor accepts connections. Neither making nor closing it changes
// the descriptor or the original listener.
func TestListenerOf(t *testing.T) {
	noneLeft(t)
	original, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	fd := dupOf(t, original)
	defer fd.Close()
	ln, err := fd.Listener()
	if err != nil {
		t.Fatal(err)
	}
	dialAndAccept(t, ln)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if nonblock, _ := flagsOf(t, fd.Int()); !nonblock {
		t.Error("the socket blocks now")
	}
	dialAndAccept(t, original) // its file has not been unlinked
}

func dupOf(t *testing.T, s any) *FD {
	t.Helper()
	fd, err := DupOf(s)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func dialAndAccept(t *testing.T, ln net.Listener) {
	t.Helper()
	out, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
}

func TestPacketConnOf(t *testing.T) {
	noneLeft(t)
	original, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	fd := dupOf(t, original)
	defer fd.Close()
	pc, err := fd.PacketConn()
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if _, err := original.WriteTo([]byte("to myself"), original.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, _, err := pc.ReadFrom(b); err != nil || string(b[:n]) != "to myself" {
		t.Errorf("got %q, error %v", b[:n], err)
	}
}

func TestNoListenerOf(t *testing.T) {
	noneLeft(t)
	file := someFD(t, "")
	defer file.Close()
	closed := New(-1)
	for _, fd := range []*FD{file, closed} {
		if ln, err := fd.Listener(); err == nil {
			t.Errorf("descriptor %d is a listener", fd.Int())
			ln.Close()
		}
		if pc, err := fd.PacketConn(); err == nil {
			t.Errorf("descriptor %d is a packet conn", fd.Int())
			pc.Close()
		}
	}
}
