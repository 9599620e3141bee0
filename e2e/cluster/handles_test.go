//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
)

func isFull(err error) bool {
	return errors.Is(err, ipc.ErrQueueFull) && errors.Is(err, master.ErrQueueFull)
}

// listening waits until a worker listens, and returns the address.
func listening(t *testing.T, w *master.Worker) string {
	t.Helper()
	c := make(chan master.Address, 10)
	w.Subscribe(master.Events{Listening: func(_ *master.Worker, a master.Address) { c <- a }})
	a := e2etest.Await(t, "the worker to listen", c)
	return net.JoinHostPort(a.Address, fmt.Sprint(a.Port))
}

// A worker accepts a connection and sends it to the master. From then on it is the master's
// alone: the client sees its end when the master closes it, and the worker doesn't wait for
// it.
func TestWorkerGivesItsConnToTheMaster(t *testing.T) {
	c := newCluster(t, "hand-over")
	w := c.fork(nil)
	conns := make(chan net.Conn, 1)
	w.Subscribe(master.Events{Message: func(_ *master.Worker, m ipc.Message) {
		conn, err := m.Handles[0].Conn()
		if err != nil {
			t.Error(err)
		}
		conns <- conn
	}})
	client, err := net.Dial("tcp", listening(t, w))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn := e2etest.Await(t, "the conn", conns)
	if _, ok := conn.(*net.TCPConn); !ok || conn.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("%T from %v, want the client's %v", conn, conn.RemoteAddr(), client.LocalAddr())
	}
	began := time.Now()
	c.disconnect() // the worker has no conn any more, and doesn't wait for its end
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the worker took %v to leave", d)
	}
	_, _ = io.WriteString(conn, "from the master")
	conn.Close()
	_ = client.SetDeadline(time.Now().Add(e2etest.Stuck))
	if b, err := io.ReadAll(client); err != nil || string(b) != "from the master" {
		t.Errorf("the client read %q, %v", b, err)
	}
}

// Listeners, packet conns and files are shared: they work in the master, and the worker
// still has them.
func TestWorkerSharesHandlesWithTheMaster(t *testing.T) {
	c := newCluster(t, "give-all")
	results := make(chan error, 9)
	c.Subscribe(master.Events{Message: func(_ *master.Worker, m ipc.Message) {
		var what string
		if err := m.Decode(&what); err != nil || len(m.Handles) != 1 {
			results <- fmt.Errorf("%d handles, %v", len(m.Handles), err)
			return
		}
		kind, _, _ := strings.Cut(what, " ")
		results <- works(kind, m.Handles[0])
	}})
	c.fork(nil)
	for range 9 {
		if err := e2etest.Await(t, "what the worker gives", results); err != nil {
			t.Error(err)
		}
	}
	c.disconnect()
}

// works uses a handle and returns the error.
func works(kind string, h ipc.Handle) error {
	switch kind {
	case "listener":
		ln, err := h.Listener()
		if err != nil {
			return err
		}
		defer ln.Close()
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		server, err := ln.Accept()
		if err != nil {
			return err
		}
		return server.Close()
	case "packets":
		c, err := h.PacketConn()
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.WriteTo([]byte("to itself"), c.LocalAddr()); err != nil {
			return err
		}
		_ = c.SetDeadline(time.Now().Add(e2etest.Stuck))
		_, _, err = c.ReadFrom(make([]byte, 100))
		return err
	}
	f, err := h.File()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("from the master")
	return err
}

// Every kind of handle works in the worker, between messages of a megabyte. What isn't a
// connection stays the sender's too.
func TestMasterSendsEveryKindOfHandle(t *testing.T) {
	c := newCluster(t, "take-over")
	w := c.fork(nil)
	got := inbox(w)
	want := fmt.Sprintf("hello from worker %d", w.ID())
	for round := range 3 {
		for _, g := range givens(t) {
			sendTo(t, w, g.kind+" "+strings.Repeat("x", 1<<20), g.handle)
			if s := e2etest.Await(t, "the worker", got); !strings.HasPrefix(s, `"used `+g.kind) {
				t.Fatalf("round %d: %s: %s", round, g.kind, s)
			}
			if s, err := g.check(); err != nil || s != want {
				t.Errorf("round %d: through the %s came %q, %v: want %q", round, g.kind, s, err, want)
			}
		}
	}
}

// Many handles that are in flight at once, between large messages, arrive with their own
// message, in both directions.
func TestHandlesArriveWithTheirMessages(t *testing.T) {
	c := newCluster(t, "echo")
	w := c.fork(nil)
	const n = 40
	back := make(chan string, n)
	w.Subscribe(master.Events{Message: func(_ *master.Worker, m ipc.Message) {
		var number int
		if len(m.Handles) == 0 {
			return
		}
		if err := m.Decode(&number); err != nil {
			t.Error(err)
		}
		back <- fmt.Sprint(number, names(m.Handles))
	}})
	dir := t.TempDir()
	for i := range n {
		sendPatiently(t, w, strings.Repeat("x", 200<<10))
		sendPatiently(t, w, i, ipc.FromFile(create(t, dir, 2*i)), ipc.FromFile(create(t, dir, 2*i+1)))
	}
	for i := range n {
		if s, want := e2etest.Await(t, "the handles", back), fmt.Sprint(i, []string{fmt.Sprint(2 * i), fmt.Sprint(2*i + 1)}); s != want {
			t.Fatalf("%s came back, want %s", s, want)
		}
	}
}

// create makes a file that contains a number.
func create(t *testing.T, dir string, n int) *os.File {
	t.Helper()
	path := filepath.Join(dir, fmt.Sprint(n))
	if err := os.WriteFile(path, []byte(fmt.Sprint(n)), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func names(handles []ipc.Handle) (all []string) {
	for _, h := range handles {
		f, err := h.File()
		if err != nil {
			return []string{err.Error()}
		}
		b, _ := io.ReadAll(f)
		f.Close()
		all = append(all, string(b))
	}
	return all
}

func sendPatiently(t *testing.T, w *master.Worker, v any, handles ...ipc.Handle) {
	t.Helper()
	var err error
	e2etest.WaitFor(t, "room in the queue", func() bool { err = w.Send(v, handles...); return !errors.Is(err, ipc.ErrQueueFull) })
	if err != nil {
		t.Fatal(err)
	}
}

// Handles that are queued for a worker that dies are closed, and Send returns an error.
func TestHandlesToADeadWorkerAreClosed(t *testing.T) {
	c := newCluster(t, "deaf")
	file := create(t, t.TempDir(), 1)
	first := c.fork(nil) // what stays open from the first use is open
	_ = first.Kill(nil)
	gone(t, first)
	before := 0
	for round := range 5 {
		w := c.fork(nil)
		e2etest.WaitFor(t, "the worker to be online", func() bool { return w.State() == master.Online })
		e2etest.StandStill(t, w.Process().Pid)
		var err error
		n := 0
		for ; err == nil; n++ {
			err = w.Send(strings.Repeat("x", 8<<10), ipc.FromFile(file), ipc.FromFile(file))
		}
		if !isFull(err) {
			t.Errorf("after %d: %v, want ErrQueueFull", n, err)
		}
		client, server := tcpPair(t)
		for err = w.Send("conn", ipc.FromConn(server)); err == nil; err = w.Send("conn", ipc.FromConn(server)) {
			client.Close() // the link had room for one more
			client, server = tcpPair(t)
		}
		if !isFull(err) {
			t.Errorf("%v, want ErrQueueFull", err)
		}
		if _, err := server.Write([]byte("mine")); err != nil {
			t.Errorf("a conn that was not sent: %v", err)
		}
		server.Close()
		client.Close()
		e2etest.Kill(t, w.Process().Pid)
		gone(t, w)
		if err := w.Send("x", ipc.FromFile(file)); !errors.Is(err, master.ErrDisconnected) {
			t.Errorf("%v, want ErrDisconnected", err)
		}
		if round == 0 {
			before = e2etest.Descriptors(os.Getpid())
		}
	}
	e2etest.WaitFor(t, fmt.Sprintf("%d descriptors again", before), func() bool { return e2etest.Descriptors(os.Getpid()) <= before })
}

func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln := mustListenPlain(t)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	return client, server
}

// A connection can be sent once.
func TestConnIsSentOnce(t *testing.T) {
	c := newCluster(t, "take-over")
	w := c.fork(nil)
	got := inbox(w)
	g := givenConn(t)
	sendTo(t, w, g.kind, g.handle)
	if err := w.Send(g.kind, g.handle); !errors.Is(err, ipc.ErrHandle) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("sent twice: %v, want ErrHandle and net.ErrClosed", err)
	}
	e2etest.Await(t, "the worker", got)
	if s, err := g.check(); err != nil || s == "" {
		t.Errorf("%q, %v", s, err)
	}
}
