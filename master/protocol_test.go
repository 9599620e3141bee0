//go:build linux

package master

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/logqueue"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// peer is a worker as bytes: the other end of a real link, without a process.
type peer struct {
	*net.UnixConn
	t      *testing.T
	worker *Worker
	exit   chan Exit
}

// stage is a master whose workers are peers.
type stage struct {
	*Master
	t   *testing.T
	log e2etest.Output

	mu     sync.Mutex
	next   *peer
	events []string
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t}
	prepare := func(number int, cfg Config) (*generation, error) {
		return &generation{Number: number, Config: cfg}, nil
	}
	system := system()
	system.prepare, system.spawn = prepare, s.spawn
	s.Master = newMaster(Config{Logger: slog.New(slog.NewTextHandler(&s.log, nil))}, system)
	t.Cleanup(func() { _ = s.Close() })
	say := func(what string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, what)
	}
	s.Subscribe(Events{
		Online:     func(*Worker) { say("online") },
		Listening:  func(_ *Worker, a Address) { say("listening " + a.Network) },
		Message:    func(_ *Worker, m ipc.Message) { say("message " + m.String()) },
		Disconnect: func(*Worker) { say("disconnect") },
		Exit:       func(*Worker, Exit) { say("exit") },
	})
	return s
}

func (s *stage) spawn(*process.Image, link.Identity, map[string]string) (*child.Process, error) {
	link, end, err := link.Pair()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	c, err := net.FileConn(end)
	if err != nil {
		return nil, err
	}
	p := &peer{UnixConn: c.(*net.UnixConn), t: s.t, exit: make(chan Exit, 1)}
	s.next = p
	end1 := func() { p.exit <- Exit{} }
	var once sync.Once
	signal := func(os.Signal) error { once.Do(end1); return nil }
	return &child.Process{Link: link, Kill: signal, Wait: func() process.Exit { x := <-p.exit; p.Close(); return processExit(x) }}, nil
}

// fork starts a peer.
func (s *stage) fork() *peer {
	s.t.Helper()
	w, err := s.Fork(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.next.worker = w
	return s.next
}

// wantEvents waits for as many events as want has, and compares them.
func (s *stage) wantEvents(want ...string) {
	s.t.Helper()
	var got []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.mu.Lock()
		got = append(got[:0], s.events...)
		s.mu.Unlock()
		if len(got) >= len(want) {
			break
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("events:\n %q\nwant\n %q", got, want)
	}
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) send(version byte, typ wire.Type, body any) {
	p.t.Helper()
	f := wire.Frame{Type: typ}
	if body != nil {
		f.Body = wire.Body(body)
	}
	b, err := wire.Append(nil, f)
	if err != nil {
		p.t.Fatal(err)
	}
	b[1] = version
	p.write(b)
}

// rest reads frames until the master ends the link.
func (p *peer) rest() (all []wire.Frame) {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(p)
	if err != nil {
		p.t.Errorf("the link doesn't end: %v", err)
	}
	return frames(p.t, b)
}

func frames(t *testing.T, b []byte) (all []wire.Frame) {
	t.Helper()
	var d wire.Decoder
	n := 0
	for n < len(b) {
		k := copy(d.Space(), b[n:])
		d.Filled(k, 0)
		n += k
		for {
			f, ok, err := d.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			all = append(all, f)
		}
	}
	return all
}

// golden reads frames that are kept as text.
func golden(t *testing.T, name string) (all []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		frame, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, frame...)
	}
	return all
}

// A worker of protocol version 1 is served, for as long as MinVersion says so.
func TestGoldenWorker(t *testing.T) {
	s := newStage(t)
	p := s.fork()
	p.write(golden(t, "testdata/worker-v1.txt"))
	waitUntil(t, "the end of what it says", func() bool { return s.has("listening tcp") && p.worker.State() == Draining })
	if yes, _ := p.worker.Voluntary(); !yes {
		t.Error("it said that it leaves, and the master doesn't know")
	}
	_ = p.CloseWrite()
	p.exit <- Exit{}
	waitUntil(t, "its exit", func() bool { return s.has("exit") })
	s.remove("listening tcp") // comes when the socket is bound
	s.wantEvents("online", `message {"cmd":"notifyRequest"}`, `message "after the unknown one"`, "disconnect", "exit")
}

// One that is too old or too new is told the versions of both, and so is the log.
func TestVersionRefused(t *testing.T) {
	for _, tc := range []struct {
		name     string
		min, max int
		words    string
	}{
		{"too new", wire.Version + 1, wire.Version + 3, "it speaks versions 2 to 4 of the protocol, this master 1 to 1"},
		{"too old", 0, wire.MinVersion - 1, "it speaks versions 0 to 0 of the protocol, this master 1 to 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t)
			p := s.fork()
			p.send(byte(max(tc.max, 1)), wire.Hello, wire.HelloBody{Min: tc.min, Max: tc.max})
			all := p.rest()
			if len(all) != 1 || all[0].Type != wire.Refuse {
				t.Fatalf("got %v, want one refuse", all)
			}
			var body wire.RefuseBody
			if err := all[0].Decode(&body); err != nil || body.Reason != tc.words {
				t.Errorf("%q, %v: want %q", body.Reason, err, tc.words)
			}
			s.wantEvents("disconnect")
			logqueue.Flush(s.Master.log, 10*time.Second)
			if !strings.Contains(s.log.String(), tc.words) {
				t.Errorf("the log doesn't say why:\n%s", &s.log)
			}
		})
	}
}

// A worker that is newer and speaks the master's version too is served in that.
func TestNewerWorkerIsServed(t *testing.T) {
	s := newStage(t)
	p := s.fork()
	p.send(wire.Version+1, wire.Hello, wire.HelloBody{Min: wire.MinVersion, Max: wire.Version + 1})
	s.wantEvents("online")
	buf := make([]byte, 1024)
	n, err := p.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var body wire.WelcomeBody
	if f := frames(t, buf[:n])[0]; f.Type != wire.Welcome || f.Decode(&body) != nil || body.Version != wire.Version {
		t.Errorf("%v %s, want to be welcome in version %d", f.Type, f.Body, wire.Version)
	}
}

// A worker may ask once for what its predecessor leaves. Where there is none, its pipe is at the end.
func TestInheritOnce(t *testing.T) {
	s := newStage(t)
	p := s.fork()
	p.send(wire.Version, wire.Hello, wire.HelloBody{Min: wire.MinVersion, Max: wire.Version})
	s.wantEvents("online")
	p.send(wire.Version, wire.Inherit, nil)
	p.send(wire.Version, wire.Inherit, nil)
	oob := make([]byte, 1024)
	_ = p.SetReadDeadline(time.Now().Add(10 * time.Second))
	var fds []*descriptor.FD
	for len(fds) == 0 {
		_, n, _, _, err := p.ReadMsgUnix(make([]byte, 1024), oob)
		if err != nil {
			t.Fatal(err)
		}
		fds, _ = descriptor.FromRights(oob[:n])
	}
	state, err := fds[0].File("state")
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	descriptor.CloseAll(fds)
	if n, err := state.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("the pipe: %d, %v", n, err)
	}
	p.rest()
	s.wantEvents("online", "disconnect")
}

// Whatever a worker writes, the master lives, and no other worker notices.
func TestGarbage(t *testing.T) {
	endless, _ := wire.Append(nil, wire.Frame{Type: wire.Message})
	endless[8], endless[9], endless[10], endless[11] = 0xff, 0xff, 0xff, 0xff
	wrongCount, _ := wire.Append(nil, wire.Frame{Type: wire.Message, FDs: 3})
	hello, _ := wire.Append(nil, wire.Frame{Type: wire.Hello, Body: wire.Body(wire.HelloBody{Min: 1, Max: 1})})
	for name, bytes := range map[string][]byte{
		"garbage":        []byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
		"endless frame":  append(hello, endless...),
		"no descriptors": append(hello, wrongCount...),
		"hello twice":    append(hello, hello...),
		"unknown type":   append(hello, 'R', 1, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0),
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			other := s.fork()
			other.send(1, wire.Hello, wire.HelloBody{Min: 1, Max: 1})
			s.wantEvents("online")
			p := s.fork()
			p.write(bytes)
			p.rest()
			other.send(1, wire.Message, "still here")
			waitUntil(t, "the other worker's message", func() bool { return s.has(`message "still here"`) })
			if other.worker.State() != Online {
				t.Errorf("the other is %v", other.worker.State())
			}
			waitUntil(t, "the end of this one's link", func() bool { return !p.worker.IsConnected() })
		})
	}
}

func (s *stage) remove(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = slices.DeleteFunc(s.events, func(e string) bool { return e == event })
}

func (s *stage) has(event string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e == event {
			return true
		}
	}
	return false
}

// A worker that asks and asks, and never reads an answer, costs a bounded queue.
func TestWorkerThatNeverReads(t *testing.T) {
	const size = 4 << 10
	s := newStage(t)
	var queued atomic.Int64
	s.Subscribe(Events{Message: func(w *Worker, m ipc.Message) {
		switch err := w.Send(strings.Repeat("x", size)); {
		case err == nil:
			queued.Add(size)
		case !errors.Is(err, ErrQueueFull):
			t.Error(err)
		}
	}})
	p := s.fork()
	p.send(1, wire.Hello, wire.HelloBody{Min: 1, Max: 1})
	for range 10_000 {
		p.send(1, wire.Message, "and?")
	}
	other := s.fork()
	other.send(1, wire.Hello, wire.HelloBody{Min: 1, Max: 1})
	waitUntil(t, "the other worker to be online", func() bool { return other.worker.State() == Online })
	waitUntil(t, "all messages", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.events) == 10_002 })
	if n := queued.Load(); n == 0 || n > 8<<20 {
		t.Errorf("%d bytes wait for who never reads, want 4 MB or so", n)
	}
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("stuck: waited for %s", what)
		}
	}
}
