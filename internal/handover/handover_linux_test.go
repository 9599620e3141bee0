//go:build linux

package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// receiverSocket is a Socket that keeps what it gets.
type receiverSocket struct {
	net.Listener
	conns    chan net.Conn
	rests    bool
	left     time.Duration // of the last connection that rests, or is expected
	expected bool          // one was
	state    []byte        // with the last connection that was handed over
}

func (s *receiverSocket) Put(c net.Conn) { s.conns <- c }

func (s *receiverSocket) Rests() bool { return s.rests }

func (s *receiverSocket) Rest(fd *descriptor.FD, left time.Duration) {
	defer fd.Close()
	s.left = left
	if c, err := fd.Conn(); err == nil {
		s.conns <- c
	}
}

func (s *receiverSocket) Expect(c net.Conn, left time.Duration) {
	s.left, s.expected = left, true
	s.conns <- c
}

// world is a listener, and a pair between two workers that have it.
type world struct {
	receiverSocket
	cookie   uint64
	sender   *Sender
	receiver *Receiver
	refuses  atomic.Bool // what is handed over
}

func newWorld(t *testing.T, network, address string) *world {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{receiverSocket: receiverSocket{Listener: ln, conns: make(chan net.Conn, 2*MaxBatch)}}
	if w.cookie, err = Cookie(ln.(syscall.Conn)); err != nil {
		t.Skip(err)
	}
	a, b, err := NewPair()
	if err != nil {
		t.Fatal(err)
	}
	if w.sender, err = NewSender(a); err != nil {
		t.Fatal(err)
	}
	if w.receiver, err = NewReceiver(b, w); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); w.sender.Close(); w.receiver.Close() })
	return w
}

func (w *world) Starts() {}
func (w *world) Ends()   {}

func (w *world) Socket(cookie uint64) Socket {
	if cookie == w.cookie {
		return &w.receiverSocket
	}
	return nil
}

func (w *world) Handed(cookie uint64, state []byte) Socket {
	if cookie != w.cookie || w.refuses.Load() {
		return nil
	}
	w.state = state
	return &w.receiverSocket
}

// serve runs the receiver, and returns the channel of its result.
func (w *world) serve() <-chan error {
	result := make(chan error, 1)
	go func() { result <- w.receiver.Serve() }()
	return result
}

// conn returns a new connection, as the leaving worker has it, and its client.
func (w *world) conn(t *testing.T) (server net.Conn, client net.Conn) {
	t.Helper()
	client, err := net.Dial(w.Addr().Network(), w.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = w.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return server, client
}

// wantConns waits until the receiver has n connections.
func (w *world) wantConns(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case c := <-w.conns:
			c.Close()
		case <-time.After(10 * time.Second):
			t.Fatalf("the receiver has %d connections, want %d", i, n)
		}
	}
	if len(w.conns) > 0 {
		t.Errorf("the receiver has %d connections more than %d", len(w.conns), n)
	}
}

func (w *world) item(t *testing.T, c net.Conn) Item {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return Item{Cookie: w.cookie, Conn: raw}
}

func wantTaken(t *testing.T, got []bool, err error, want ...bool) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("taken: %v, %v, want %v", got, err, want)
	}
}

// A connection that has moved is the receiver's alone, with what the client has sent meanwhile.
func TestMove(t *testing.T) {
	for network, address := range map[string]string{
		"tcp4": "127.0.0.1:0", "tcp": ":0", "unix": filepath.Join(t.TempDir(), "s"),
	} {
		t.Run(network, func(t *testing.T) {
			w := newWorld(t, network, address)
			served := w.serve()
			server, client := w.conn(t)
			io.WriteString(client, "early ")
			taken, err := w.sender.Offer([]Item{w.item(t, server)})
			wantTaken(t, taken, err, true)
			server.Close()
			io.WriteString(client, "late")
			moved := <-w.conns
			defer moved.Close()
			if moved.RemoteAddr().String() != client.LocalAddr().String() {
				t.Errorf("RemoteAddr is %v, want %v", moved.RemoteAddr(), client.LocalAddr())
			}
			b := make([]byte, len("early late"))
			if _, err := io.ReadFull(moved, b); err != nil || string(b) != "early late" {
				t.Errorf("read %q, %v", b, err)
			}
			w.sender.Close()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v, want nil at the end of the pair", err)
			}
		})
	}
}

// Several connections move in one offer. One of a socket that the receiver doesn't have stays,
// and so does one that was closed before.
func TestMoveSome(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	w.serve()
	var items []Item
	for range MaxBatch {
		server, _ := w.conn(t)
		items = append(items, w.item(t, server))
	}
	closed, _ := w.conn(t)
	items[1] = w.item(t, closed)
	closed.Close()
	items[MaxBatch-1].Cookie++
	want := slices.Repeat([]bool{true}, MaxBatch)
	want[1], want[MaxBatch-1] = false, false
	taken, err := w.sender.Offer(items)
	wantTaken(t, taken, err, want...)
	w.wantConns(t, MaxBatch-2)
}

// A leaving worker that waits no longer, and a receiver that answers too late, agree on who
// has the connection.
func TestLateAnswer(t *testing.T) {
	for _, late := range []bool{true, false} {
		w := newWorld(t, "tcp", "127.0.0.1:0")
		server, _ := w.conn(t)
		var o offer
		if err := w.sender.send([]Item{w.item(t, server)}, &o); err != nil {
			t.Fatal(err)
		}
		var last []bool
		if late {
			last = w.sender.lastAnswer(1)
		}
		err := w.receiver.next()
		if !late {
			last = w.sender.lastAnswer(1)
		}
		if receiverHas := len(w.conns) == 1; receiverHas == late || (err == nil) == late || slices.Equal(last, []bool{true}) == late {
			t.Errorf("late=%v: the receiver has it: %v (%v), the leaving worker was told %v", late, receiverHas, err, last)
		}
		w.sender.closeFor(nil)
	}
}

// A receiver that doesn't answer gets no connection, and no second offer.
func TestNoAnswer(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	server, _ := w.conn(t)
	began := time.Now()
	taken, err := w.sender.Offer([]Item{w.item(t, server)})
	if err == nil || taken[0] || time.Since(began) > 5*AnswerTimeout {
		t.Errorf("taken %v, %v after %v", taken, err, time.Since(began))
	}
	began = time.Now()
	if _, again := w.sender.Offer([]Item{w.item(t, server)}); again != err || time.Since(began) > AnswerTimeout/2 {
		t.Errorf("the second offer: %v, want %v at once", again, err)
	}
	if err := w.receiver.Serve(); err == nil || len(w.conns) > 0 {
		t.Errorf("the receiver has %d connections afterwards, %v", len(w.conns), err)
	}
}

// A receiver that dies leaves the connection to the worker that offers it.
func TestDeadReceiver(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	server, _ := w.conn(t)
	w.receiver.Close()
	if taken, err := w.sender.Offer([]Item{w.item(t, server)}); err == nil || taken[0] {
		t.Errorf("taken %v, %v", taken, err)
	}
}

// What is no connection of the socket ends the hand-over, and is not passed on.
func TestForeignDescriptors(t *testing.T) {
	foreign := map[string]func(t *testing.T, w *world) int{
		"of another port": func(t *testing.T, _ *world) int {
			other := newWorld(t, "tcp", "127.0.0.1:0")
			server, _ := other.conn(t)
			return dup(t, server)
		},
		"a listener":       func(t *testing.T, _ *world) int { return dup(t, newWorld(t, "tcp", "127.0.0.1:0").Listener) },
		"the listener":     func(t *testing.T, w *world) int { return dup(t, w.Listener) },
		"of the same port": func(t *testing.T, w *world) int { return packetSocket(t, w.Addr()) },
		"a file": func(t *testing.T, _ *world) int {
			n, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return n
		},
		"a packet socket": func(t *testing.T, _ *world) int {
			pc, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			return dup(t, pc)
		},
	}
	for name, open := range foreign {
		for _, rests := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, rests=%v", name, rests), func(t *testing.T) {
				w := newWorld(t, "tcp", "127.0.0.1:0")
				w.rests = rests
				n := open(t, w)
				for n < 0 {
					w = newWorld(t, "tcp", "127.0.0.1:0")
					w.rests = rests
					n = open(t, w)
				}
				fd := descriptor.New(n)
				defer fd.Close()
				send(t, w, appendOffer(nil, []facts{{cookie: w.cookie}}), fd.Int())
				if err := w.receiver.Serve(); !errors.Is(err, ErrMessage) || len(w.conns) > 0 {
					t.Errorf("%v, %d connections, want ErrMessage", err, len(w.conns))
				}
			})
		}
	}
}

// packetSocket returns a UDP socket at a TCP address, with a peer, or -1 if another process has one there.
func packetSocket(t *testing.T, at net.Addr) int {
	t.Helper()
	local := &net.UDPAddr{IP: at.(*net.TCPAddr).IP, Port: at.(*net.TCPAddr).Port}
	c, err := net.DialUDP("udp", local, &net.UDPAddr{IP: local.IP, Port: 9})
	if errors.Is(err, unix.EADDRINUSE) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return dup(t, c)
}

// A connection rests as the descriptor that came, with the time that its program would have waited. One that is used doesn't,
// and has the time too.
func TestRest(t *testing.T) {
	for i, left := range []time.Duration{0, 0, time.Nanosecond, 1500 * time.Millisecond, 24 * 24 * time.Hour, 24 * 24 * time.Hour} {
		w := newWorld(t, "tcp", "127.0.0.1:0")
		w.rests = true
		server, client := w.conn(t)
		w.serve()
		item := w.item(t, server)
		item.Rest, item.Used = left, i%2 == 1
		taken, err := w.sender.Offer([]Item{item})
		wantTaken(t, taken, err, true)
		c := <-w.conns
		defer c.Close()
		if want := max(left, min(left*1e9, time.Millisecond)); w.left != want || c.RemoteAddr().String() != client.LocalAddr().String() {
			t.Errorf("left %v, want %v; a connection of %v, want %v", w.left, want, c.RemoteAddr(), client.LocalAddr())
		}
		if w.expected != item.Used {
			t.Errorf("used %t, expected %t", item.Used, w.expected)
		}
	}
}

// Where it can't rest, the program gets it at once, with the time too.
func TestCannotRest(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	server, _ := w.conn(t)
	w.serve()
	item := w.item(t, server)
	item.Rest = time.Hour
	taken, err := w.sender.Offer([]Item{item})
	wantTaken(t, taken, err, true)
	(<-w.conns).Close()
	if !w.expected || w.left != time.Hour {
		t.Errorf("expected %t, left %v", w.expected, w.left)
	}
}

// A connection whose client has gone isn't taken, and harms no other.
func TestRestOfAGoneClient(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	w.rests = true
	gone, client := w.conn(t)
	client.(*net.TCPConn).SetLinger(0) // a reset
	client.Close()
	gone.SetReadDeadline(time.Now().Add(10 * time.Second))
	gone.Read(make([]byte, 1))
	other, _ := w.conn(t)
	w.serve()
	taken, err := w.sender.Offer([]Item{w.item(t, gone), w.item(t, other)})
	wantTaken(t, taken, err, false, true)
	w.wantConns(t, 1)
}

// A message that is none ends the hand-over, and its descriptors are closed.
func TestForeignMessages(t *testing.T) {
	for name, message := range map[string][]byte{
		"one byte": {offerKind}, "an answer": {answerKind, 1}, "half a cookie": {offerKind, 1, 2, 3},
		"too many": make([]byte, 4*MaxBatch*cookieSize), "fewer than descriptors": appendOffer(nil, []facts{{cookie: 1}}),
	} {
		w := newWorld(t, "tcp", "127.0.0.1:0")
		a, b, err := NewPair() // descriptors whose end can be seen
		if err != nil {
			t.Fatal(err)
		}
		send(t, w, message, b.Int(), b.Int())
		b.Close()
		if err := w.receiver.Serve(); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v, want ErrMessage", name, err)
		}
		if n, err := unix.Read(a.Int(), make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("%s: the descriptor is still open: %d, %v", name, n, err)
		}
		a.Close()
	}
}

// A receiver without a free descriptor takes what it can.
func TestReceiverWithoutDescriptors(t *testing.T) {
	w := newWorld(t, "tcp", "127.0.0.1:0")
	var items []Item
	for range 8 {
		server, _ := w.conn(t)
		items = append(items, w.item(t, server))
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	free, err := unix.FcntlInt(uintptr(0), unix.F_DUPFD_CLOEXEC, 0) // the lowest that is free
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	low := unix.Rlimit{Cur: uint64(free) + 4, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Skip(err)
	}
	w.serve()
	taken, err := w.sender.Offer(items)
	unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	n := 0
	for _, ok := range taken {
		if ok {
			n++
		}
	}
	if err != nil || n == 8 {
		t.Errorf("taken: %v, %v, want less than all", taken, err)
	}
	w.wantConns(t, n)
	again, err := w.sender.Offer(items[7:])
	wantTaken(t, again, err, true)
}

func dup(t *testing.T, c any) int {
	t.Helper()
	fd, err := descriptor.DupOf(c)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Take()
}

// send sends a message to the receiver.
func send(t *testing.T, w *world, message []byte, fds ...int) {
	t.Helper()
	if _, _, err := w.sender.pair.WriteMsgUnix(message, unix.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
}
