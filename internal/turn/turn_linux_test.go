//go:build linux

package turn

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/listentest"
)

const stuck = 10 * time.Second

// listen returns a listener of a socket that takes turns, and its poller.
func listen(t *testing.T, network string) (*Listener, *Poller) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	p := &Poller{}
	l, ok := p.Listen(ln, true)
	if !ok {
		t.Fatalf("no turns with the poller of this Go, or here: epoll %d", p.epoll)
	}
	return l.(*Listener), p
}

// entries returns the events that the runtime's poller waits for of the listener's socket.
func entries(t *testing.T, l *Listener, p *Poller) (all []uint64) {
	t.Helper()
	table, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(p.epoll))
	if err != nil {
		t.Fatal(err)
	}
	control(t, l, func(fd int) error {
		for line := range strings.Lines(string(table)) {
			if f := strings.Fields(line); len(f) > 3 && f[0] == "tfd:" && f[1] == strconv.Itoa(fd) {
				e, _ := strconv.ParseUint(f[3], 16, 64)
				all = append(all, e)
			}
		}
		return nil
	})
	return all
}

func control(t *testing.T, s syscall.Conn, f func(fd int) error) {
	t.Helper()
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if cerr := raw.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

func dial(t *testing.T, l net.Listener) {
	t.Helper()
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
}

// begin accepts one connection on another goroutine.
func begin(l *Listener) <-chan error {
	result := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_ = c.Close()
		}
		result <- err
	}()
	return result
}

// accept accepts one connection on another goroutine, which waits for it when accept returns.
func accept(t *testing.T, l *Listener, p *Poller) <-chan error {
	t.Helper()
	result := begin(l)
	for end := time.Now().Add(stuck); len(entries(t, l, p)) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Accept doesn't wait in the poller")
		}
	}
	return result
}

func ends(t *testing.T, what string, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(stuck):
		t.Fatal(what, "doesn't end")
		return nil
	}
}

// remains waits a moment, and fails if what goes on meanwhile ends.
func remains(t *testing.T, what string, result <-chan error) {
	t.Helper()
	select {
	case err := <-result:
		t.Fatalf("%s ends: %v", what, err)
	case <-time.After(10 * time.Millisecond):
	}
}

// exclusive reports whether entries are one, which is exclusive.
func exclusive(all []uint64) bool { return len(all) == 1 && all[0]&unix.EPOLLEXCLUSIVE != 0 }

// The poller waits for a socket while an Accept does, and exclusively.
func TestOnlyAcceptWaits(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		l, p := listen(t, network)
		for range 3 {
			if all := entries(t, l, p); len(all) != 0 {
				t.Fatalf("%s: the poller waits without an Accept: %x", network, all)
			}
			result := accept(t, l, p)
			if all := entries(t, l, p); !exclusive(all) {
				t.Errorf("%s: the poller waits for %x", network, all)
			}
			dial(t, l)
			if err := ends(t, "Accept", result); err != nil {
				t.Fatal(network, err)
			}
		}
		_ = l.Close()
	}
}

// A listener that need not be quiet is in the poller as the runtime has entered it until its first Accept.
func TestFirstAcceptTakes(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := &Poller{}
	loud, ok := p.Listen(ln, false)
	l := loud.(*Listener)
	if all := entries(t, l, p); !ok || len(all) != 1 || all[0]&unix.EPOLLEXCLUSIVE != 0 {
		t.Fatalf("before the first Accept: %x, %v", all, ok)
	}
	result := accept(t, l, p)
	for end := time.Now().Add(stuck); !exclusive(entries(t, l, p)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // until then it is before, or between removing and adding
			t.Fatal("Accept doesn't take the socket")
		}
	}
	dial(t, l)
	if err := ends(t, "Accept", result); err != nil {
		t.Fatal(err)
	}
	if all := entries(t, l, p); len(all) != 0 {
		t.Errorf("after it: %x", all)
	}
}

// other is another process that waits for connections of a socket: an epoll with a thread in it.
type other struct {
	epoll int
	woken <-chan error
}

// wait has the other wait for a connection of the socket, behind all who wait already.
func wait(t *testing.T, l *Listener) *other {
	t.Helper()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	control(t, l, func(fd int) error {
		return unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events})
	})
	woken := make(chan error, 1)
	go func() {
		var e [1]unix.EpollEvent
		n, err := unix.EpollWait(epoll, e[:], int(stuck/time.Millisecond))
		for errors.Is(err, unix.EINTR) {
			n, err = unix.EpollWait(epoll, e[:], int(stuck/time.Millisecond))
		}
		if n == 0 && err == nil {
			err = os.ErrDeadlineExceeded
		}
		woken <- err
	}()
	remains(t, "the other's wait", woken)
	t.Cleanup(func() { _ = unix.Close(epoll) })
	return &other{epoll, woken}
}

// A connection wakes the process that has waited for longest, and no other. After its turn it is
// behind the others.
func TestTurns(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		l, p := listen(t, network)
		first := accept(t, l, p)
		dial(t, l) // nobody else waits
		if err := ends(t, "Accept", first); err != nil {
			t.Fatal(network, err)
		}
		o := wait(t, l)
		second := accept(t, l, p)
		dial(t, l)
		if err := ends(t, "the other's turn", o.woken); err != nil {
			t.Fatal(network, err)
		}
		remains(t, network+": Accept, which has had its turn,", second)
		dial(t, l) // the other doesn't wait now
		if err := ends(t, "Accept", second); err != nil {
			t.Fatal(network, err)
		}
	}
}

// What another process was woken for and doesn't accept is found by the next Accept, and by one
// that is woken by its deadline.
func TestTurnOfOneWhoDoesNotAccept(t *testing.T) {
	l, p := listen(t, "tcp")
	o := wait(t, l)
	result := accept(t, l, p)
	dial(t, l)
	if err := ends(t, "the other's turn", o.woken); err != nil {
		t.Fatal(err)
	}
	_ = l.SetDeadline(time.Unix(1, 0))
	if err := ends(t, "Accept", result); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Accept: %v", err)
	}
	_ = l.SetDeadline(time.Time{})
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// Each of several Accepts of a process gets a connection, and Close ends those that wait.
func TestSeveralAccepts(t *testing.T) {
	l, p := listen(t, "tcp")
	const n = 5
	results := make(chan error, n)
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			for {
				c, err := l.Accept()
				results <- err
				if err != nil {
					return
				}
				_ = c.Close()
			}
		})
	}
	for range 100 {
		dial(t, l)
		if err := ends(t, "Accept", results); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Close()
	for range n {
		if err := ends(t, "Accept", results); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept of a closed listener: %v", err)
		}
	}
	group.Wait()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener: %v", err)
	}
	next, q := listen(t, "tcp") // may have its descriptor
	if all := entries(t, next, q); q.epoll != p.epoll || len(all) != 0 {
		t.Errorf("epoll %d, was %d, with %x", q.epoll, p.epoll, all)
	}
}

// Where another process has cleared O_NONBLOCK, the thread in accept(2) has its turn.
func TestBlockingSocket(t *testing.T) {
	l, p := listen(t, "tcp")
	control(t, l, func(fd int) error { return unix.SetNonblock(fd, false) })
	t.Cleanup(func() { // package net can't interrupt the thread
		control(t, l, func(fd int) error { return unix.SetNonblock(fd, true) })
		dial(t, l)
	})
	for range 3 {
		result := begin(l)
		remains(t, "Accept", result)
		if all := entries(t, l, p); len(all) != 0 {
			t.Errorf("the poller waits for %x", all)
		}
		dial(t, l)
		if err := ends(t, "Accept", result); err != nil {
			t.Fatal(err)
		}
	}
}

// An epoll that is not the runtime's doesn't pass the trial, and no socket is taken with it.
func TestAnotherEpoll(t *testing.T) {
	low, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	epoll, err := unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, lowNumbers+100)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(low)
	defer unix.Close(epoll)
	c, peer, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer unix.Close(peer)
	control(t, c.(syscall.Conn), func(fd int) error {
		return unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
	})
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := epollOf(raw, peer); n < 0 {
		t.Error("the socket is in no epoll")
	}
	// The runtime's entry is taken away, so that nothing but the other epoll could wake the Read.
	l, p := listen(t, "tcp")
	control(t, c.(syscall.Conn), func(fd int) error { return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) })
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	n, add, remove := epollOf(raw, peer)
	if n != epoll {
		t.Fatalf("the socket is in epoll %d, want %d", n, epoll)
	}
	if works(raw, peer, add, remove) {
		t.Error("it passes for the runtime's")
	}
	q := &Poller{}
	q.once.Do(func() { q.epoll = -1 })
	if ln, ok := q.Listen(l.Kind(), true); ok || ln != l.Kind() {
		t.Errorf("without a poller: %T", ln)
	}
	q = &Poller{}
	q.once.Do(func() { q.epoll = epoll })
	if ln, ok := q.Listen(l.Kind(), true); ok || ln != l.Kind() {
		t.Errorf("with a poller that doesn't have the socket: %T", ln)
	}
	if ln, ok := p.Listen(struct{ net.Listener }{l}, true); ok {
		t.Errorf("of another type: %T", ln)
	}
}

// The listener does what package net's does.
func TestConformance(t *testing.T) {
	var p Poller
	listentest.TestListener(t, func(network, address string) (net.Listener, error) {
		ln, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		l, ok := p.Listen(ln, true)
		if !ok {
			t.Fatalf("no turns: %T", ln)
		}
		return l, nil
	})
}

// What a worker pays for at its start.
func BenchmarkFind(b *testing.B) {
	for range b.N {
		if p := (&Poller{}); !p.works() {
			b.Fatal("the runtime's epoll is not found")
		}
	}
}
