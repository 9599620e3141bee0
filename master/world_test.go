//go:build linux

package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// world is a master whose workers are played by the test: no process, no socket, and
// in a bubble of synctest no time either.
type world struct {
	*Master
	t   *testing.T
	out bytes.Buffer // what the master has logged: see log

	mu      sync.Mutex
	actors  []*actor
	failing error         // of the next starts
	hold    chan struct{} // starts wait for its end
	behave  func(*actor)  // what a new worker does, on its own goroutine
	said    []string      // by the events of record
}

// actor is a worker as the test plays it.
type actor struct {
	w    *world
	id   link.Identity
	link *fakeLink
	exit chan Exit

	mu      sync.Mutex
	signals []os.Signal
}

// inWorld runs f with a master, and closes it.
func inWorld(t *testing.T, f func(w *world), change ...func(*Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, change...)
		f(w)
		_ = w.Close()
		time.Sleep(time.Hour) // for functions that take their time
		synctest.Wait()
		w.checkDescriptors()
	})
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	w := &world{t: t, behave: (*actor).polite}
	cfg := Config{Logger: slog.New(slog.NewTextHandler(&w.out, nil))}
	for _, c := range change {
		c(&cfg)
	}
	w.Master = newMaster(cfg, sys{next: checkedNext, prepare: w.prepare, spawn: w.spawn, releaseMemory: func() {}})
	return w
}

func (w *world) prepare(number int, cfg Config, _ *os.File) (*generation, error) {
	return &generation{Number: number, Config: cfg}, nil
}

func (w *world) spawn(_ *process.Image, id link.Identity, _ map[string]string) (*child.Process, error) {
	if w.hold != nil {
		<-w.hold
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failing != nil {
		return nil, w.failing
	}
	a := &actor{w: w, id: id, link: newFakeLink(), exit: make(chan Exit, 1)}
	w.actors = append(w.actors, a)
	if w.behave != nil {
		go w.behave(a)
	}
	return &child.Process{Link: a.link, OS: &os.Process{Pid: 1000 + id.ID}, Kill: a.signal, Wait: func() process.Exit { return processExit(<-a.exit) }}, nil
}

// log returns what the master has logged. It waits until nothing writes there any more.
func (w *world) log() string {
	synctest.Wait()
	return w.out.String()
}

// fork forks, and returns both sides when all is quiet.
func (w *world) fork() (*Worker, *actor) {
	w.t.Helper()
	worker, err := w.Fork(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	return worker, w.actor(worker.ID())
}

func (w *world) actor(id int) *actor {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.actors {
		if a.id.ID == id {
			return a
		}
	}
	return nil
}

// record notes every event, as "exit 1".
func (w *world) record() (cancel func()) { return w.Subscribe(w.recorder("")) }

func (w *world) recorder(prefix string) Events {
	say := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.said = append(w.said, prefix+fmt.Sprintf(format, args...))
	}
	return Events{
		Setup:      func(Config) { say("setup") },
		Fork:       func(x *Worker) { say("fork %d", x.ID()) },
		Online:     func(x *Worker) { say("online %d", x.ID()) },
		Listening:  func(x *Worker, a Address) { say("listening %d %s", x.ID(), a.Network) },
		Message:    func(x *Worker, m ipc.Message) { say("message %d %v", x.ID(), m) },
		Disconnect: func(x *Worker) { say("disconnect %d", x.ID()) },
		Exit:       func(x *Worker, e Exit) { say("exit %d %v", x.ID(), e) },
	}
}

// delivered returns the events recorded so far, when nothing moves any more.
func (w *world) delivered() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

// expect checks what was noted.
func (w *world) expect(want ...string) {
	w.t.Helper()
	if got := w.delivered(); !slices.Equal(got, want) {
		w.t.Errorf("events:\n %q\nwant\n %q", got, want)
	}
}

func (w *world) checkDescriptors() {
	w.t.Helper()
	for _, a := range w.actors {
		a.link.mu.Lock()
		for _, fd := range a.link.took {
			if fd.Int() >= 0 {
				w.t.Errorf("descriptor %d of worker %d is still open", fd.Int(), a.id.ID)
			}
		}
		a.link.mu.Unlock()
	}
}

// polite says hello, leaves when it is asked to, and ends when it is signalled.
func (a *actor) polite() {
	a.hello()
	for f := range a.link.orders() {
		if f.Type == wire.Disconnect {
			a.say(wire.Draining, nil)
			a.leave()
		}
	}
}

func (a *actor) hello() { a.say(wire.Hello, wire.HelloBody{Min: wire.MinVersion, Max: wire.Version}) }

// say sends frames to the master; what it sends at once is read at once.
func (a *actor) say(t wire.Type, body any) {
	p := link.Packet{Frame: wire.Frame{Type: t}}
	if body != nil {
		p.Body = wire.Body(body)
	}
	a.link.deliver(p)
}

// message sends n messages at once.
func (a *actor) message(values ...string) {
	var all []link.Packet
	for _, v := range values {
		all = append(all, messagePacket(v))
	}
	a.link.deliver(all...)
}

func messagePacket(v any, files ...*descriptor.FD) link.Packet {
	f := wire.Frame{Type: wire.Message, Body: wire.Body(v), FDs: len(files)}
	return link.Packet{Frame: f, Files: files}
}

// leave closes the link and ends with 0.
func (a *actor) leave() { a.link.hangUp(); a.die(Exit{}) }

// die ends the process; its link ends with it.
func (a *actor) die(x Exit) {
	select {
	case a.exit <- x:
	default: // it is dead
	}
	a.link.hangUp()
}

func (a *actor) signal(s os.Signal) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.signals = append(a.signals, s)
	if s == syscall.SIGTERM || s == os.Kill {
		a.die(Exit{Signal: s})
	}
	return nil
}

func (a *actor) signalled() []os.Signal {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.signals)
}

// fakeLink is a link without a socket. The master's side is the interface.
type fakeLink struct {
	mu     sync.Mutex
	in     [][]link.Packet  // to the master
	took   []*descriptor.FD // every descriptor that came in
	sent   []wire.Frame     // by the master
	read   int              // of sent, by orders
	full   bool             // Send fails with ErrQueueFull for messages
	ended  error            // what Receive gives after in
	change chan struct{}    // closed and replaced at every change
}

func newFakeLink() *fakeLink { return &fakeLink{change: make(chan struct{})} }

func (l *fakeLink) changed() {
	close(l.change)
	l.change = make(chan struct{})
}

func (l *fakeLink) deliver(packets ...link.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range packets {
		l.took = append(l.took, p.Files...)
	}
	l.in = append(l.in, packets)
	l.changed()
}

func (l *fakeLink) hangUp() { l.end(io.EOF) }

func (l *fakeLink) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil {
		l.ended = err
		l.changed()
	}
}

// waiting is how many batches the master has not read.
func (l *fakeLink) waiting() int {
	time.Sleep(time.Second) // for the goroutine that reads on when another is held up
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.in)
}

func (l *fakeLink) Receive() ([]link.Packet, error) {
	for {
		l.mu.Lock()
		change, in, ended := l.change, l.in, l.ended
		if len(in) > 0 && !errors.Is(ended, link.ErrClosed) {
			l.in = in[1:]
			l.mu.Unlock()
			return in[0], nil
		}
		l.mu.Unlock()
		if ended != nil {
			return nil, ended
		}
		<-change
	}
}

func (l *fakeLink) Send(f wire.Frame, files ...*descriptor.FD) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fd := range files {
		_ = fd.Close()
	}
	switch {
	case l.ended != nil:
		return link.ErrClosed
	case l.full && f.Type.IsMessage():
		return link.ErrQueueFull
	}
	l.sent = append(l.sent, f)
	l.changed()
	return nil
}

func (l *fakeLink) CloseReceived() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, batch := range l.in {
		for _, p := range batch {
			p.Close()
		}
	}
	l.in = nil
}

func (l *fakeLink) CloseRead() error                 { l.end(io.EOF); return nil }
func (l *fakeLink) CloseWrite(context.Context) error { return nil }
func (l *fakeLink) Close() error                     { l.end(link.ErrClosed); return nil }

// orders gives what the master sends, until the link ends.
func (l *fakeLink) orders() func(yield func(wire.Frame) bool) {
	return func(yield func(wire.Frame) bool) {
		for {
			l.mu.Lock()
			change, sent, ended := l.change, l.sent[l.read:], l.ended
			l.read = len(l.sent)
			l.mu.Unlock()
			for _, f := range sent {
				if !yield(f) {
					return
				}
			}
			if ended != nil {
				return
			}
			<-change
		}
	}
}

// got returns what the master has sent of a type.
func (l *fakeLink) got(t wire.Type) (bodies []string) {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.sent {
		if f.Type == t {
			bodies = append(bodies, string(f.Body))
		}
	}
	return bodies
}

// soon runs f on a goroutine and fails the test where it doesn't return: in a bubble,
// a minute is over at once when nothing else happens.
func (w *world) soon(what string, f func()) {
	w.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		w.t.Errorf("%s doesn't return", what)
	}
}
