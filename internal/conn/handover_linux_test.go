//go:build linux

package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/handover"
)

// newProcesses returns two workers that have one socket.
func newProcesses(t *testing.T, network string) (from, to *process) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return newProcess(t, ln), newProcess(t, ln)
}

// both is a connection of a worker, and its client.
type both struct {
	net.Conn
	client net.Conn
}

func (p *process) both(t *testing.T) both {
	t.Helper()
	server, client := p.connListener.pair(t)
	return both{server, client}
}

// receiver makes to the receiver of p. A nil one doesn't answer until the result is called.
func (p *process) receiver(t *testing.T, to handover.Sockets) (serve func(handover.Sockets)) {
	t.Helper()
	a, b, err := handover.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	sender, err := handover.NewSender(a)
	if err != nil {
		t.Fatal(err)
	}
	mover := handover.NewMover(sender)
	t.Cleanup(func() { mover.Close(); b.Close() })
	serve = func(to handover.Sockets) {
		r, err := handover.NewReceiver(b, to)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(r.Close)
		go r.Serve()
	}
	if to != nil {
		serve(to)
	}
	p.shared.Mover.Store(mover)
	return serve
}

// A connection that the program hands over is the other worker's, with its state, and nobody's here.
// That the drain doesn't move connections of itself makes no difference, nor what kind they are.
func TestHandOver(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, stay := range []bool{true, false} {
			from, to := newProcesses(t, network)
			from.shared.Stay, from.shared.Opaque = stay, stay
			server := from.both(t)
			io.WriteString(server.client, "PING\r\nPI")
			io.ReadFull(server, make([]byte, len("PING\r\n")))
			from.receiver(t, to)
			from.shared.Draining.Store(true)
			if err := HandOver(server.Conn, []byte(`"PING"`)); err != nil {
				t.Fatal(err)
			}
			moved := (<-to.moved).(stated)
			defer moved.Close()
			if moved.state != `"PING"` || moved.RemoteAddr().String() != server.RemoteAddr().String() {
				t.Errorf("%s: %s with %q, want %s", network, moved.RemoteAddr(), moved.state, server.RemoteAddr())
			}
			if b := make([]byte, 2); readInto(moved, b) != "PI" {
				t.Errorf("%s: the other worker reads %q", network, b)
			}
			if _, err := server.Write([]byte("x")); !errors.Is(err, net.ErrClosed) || from.live.Load() != 0 {
				t.Errorf("%s: here a Write returns %v, and %d connections are open", network, err, from.live.Load())
			}
			if _, err := server.Read(make([]byte, 9)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: here a Read returns %v", network, err)
			}
			if err := HandOver(server.Conn, []byte(`0`)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: again: %v", network, err)
			}
		}
	}
}

func readInto(c net.Conn, b []byte) string {
	n, _ := io.ReadFull(c, b)
	return string(b[:n])
}

// A connection that nobody takes is as it was.
func TestHandOverToNobody(t *testing.T) {
	for name, prepare := range map[string]func(*process){
		"no drain":      func(p *process) { p.shared.Draining.Store(false) },
		"no receiver":   func(p *process) { p.shared.Mover.Store(nil) },
		"refused":       func(p *process) { p.receiver(t, nobody{}) },
		"receiver gone": func(p *process) { p.shared.Mover.Load().Close() },
		"no answer":     func(p *process) { p.receiver(t, nil) },
	} {
		from, to := newProcesses(t, "tcp")
		server := from.both(t)
		server.SetReadDeadline(time.Now().Add(20 * time.Second))
		from.receiver(t, to)
		from.shared.Draining.Store(true)
		prepare(from)
		if err := HandOver(server.Conn, []byte(`0`)); !errors.Is(err, handover.ErrNoReceiver) {
			t.Errorf("%s: %v", name, err)
		}
		io.WriteString(server, "pong")
		io.WriteString(server.client, "ping")
		a, b := make([]byte, 4), make([]byte, 4)
		if readInto(server, a) != "ping" || readInto(server.client, b) != "pong" || from.live.Load() != 1 {
			t.Errorf("%s: afterwards %q, %q, %d open", name, a, b, from.live.Load())
		}
	}
}

// What isn't a stream socket that other processes have can't be handed over.
func TestHandOverOfOtherKinds(t *testing.T) {
	from, to := newProcesses(t, "tcp")
	from.receiver(t, to)
	from.shared.Draining.Store(true)
	server := from.both(t)
	pipe, _ := net.Pipe()
	foreign, _ := New(pipe, from.shared)
	own := newShared()
	own.Draining.Store(true)
	exclusive, _ := New(Inner(server.Conn), own)
	for name, c := range map[string]net.Conn{
		"TLS": tls.Server(server.Conn, nil), "of package net": Inner(server.Conn), "a pipe": foreign, "exclusive": exclusive,
	} {
		if err := HandOver(c, []byte(`0`)); !errors.Is(err, ErrKind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A Write that is under way forbids it; one that begins meanwhile waits, and learns that the connection is
// gone.
func TestHandOverAndWrites(t *testing.T) {
	from, to := newProcesses(t, "tcp")
	server := from.both(t)
	from.shared.Draining.Store(true)
	from.receiver(t, to)
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(server, strings.Repeat("x", 16<<20))
		written <- err
	}()
	eventually(t, "the Write waits", func() bool { return tracked(server.Conn).socket.WriteMayWait() })
	if err := HandOver(server.Conn, []byte(`0`)); !errors.Is(err, ErrWrites) {
		t.Errorf("during a Write: %v", err)
	}
	swallow(server.client)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	serve := from.receiver(t, nil)
	handed := make(chan error, 1)
	go func() { handed <- HandOver(server.Conn, []byte(`0`)) }()
	eventually(t, "the receiver is asked", func() bool { return tracked(server.Conn).move.frozen.Load() })
	go func() {
		_, err := io.WriteString(server, "x")
		written <- err
	}()
	select {
	case err := <-written:
		t.Errorf("a Write meanwhile doesn't wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	serve(to)
	if err := <-handed; err != nil {
		t.Fatal(err)
	}
	if err := <-written; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the Write returns %v", err)
	}
}

// A drain doesn't shut down the socket that another worker takes at this moment.
func TestHandOverAndEndReading(t *testing.T) {
	from, to := newProcesses(t, "tcp")
	server := from.both(t)
	from.shared.Draining.Store(true)
	serve := from.receiver(t, nil)
	handed := make(chan error, 1)
	go func() { handed <- HandOver(server.Conn, []byte(`0`)) }()
	eventually(t, "the receiver is asked", func() bool { return tracked(server.Conn).move.frozen.Load() })
	go tracked(server.Conn).EndReading()
	tracked(server.Conn).Tick(1, 0)
	time.Sleep(10 * time.Millisecond)
	serve(to)
	if err := <-handed; err != nil {
		t.Fatal(err)
	}
	moved := <-to.moved
	defer moved.Close()
	time.AfterFunc(10*time.Millisecond, func() { io.WriteString(server.client, "ping") })
	if b := make([]byte, 4); readInto(moved, b) != "ping" { // io.EOF comes first
		t.Errorf("the other worker reads %q", b)
	}
}

// A connection isn't handed over in the middle of an answer whose Write began before the drain.
func TestHandOverDuringAnswer(t *testing.T) {
	from, to := two(t)
	server, client := from.connListener.pair(t)
	readRequest(t, server, client, getRequest)
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + strings.Repeat("x", 8<<20)
	go io.WriteString(server, answer)
	eventually(t, "the Write waits", func() bool { return tracked(server).socket.WriteMayWait() })
	from.leave(t, to, true)
	if err := HandOver(server, []byte("1")); !errors.Is(err, ErrWrites) {
		t.Errorf("HandOver: %v, want ErrWrites", err)
	}
	got := make([]byte, len(answer))
	if n, err := io.ReadFull(client, got); err != nil || string(got) != answer {
		t.Errorf("the client gets %d bytes, %v", n, err)
	}
}
