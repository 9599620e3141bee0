package master

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
)

// fakeOS is the operating system of a test: workers are goroutines, sockets are
// names. Its fields may be set before the workers that they are about are started.
type fakeOS struct {
	mu       sync.Mutex
	procs    []*fakeProc            // every worker that was started, in order
	bound    []string               // every address that was bound, in order
	bindErr  error                  // of the next bind
	prepare  func(number int) error // may fail a generation
	script   func(p *fakeProc)      // what a worker does; serve, if nil
	spawn    func(id int) error     // may fail a start
	memory   func(pid int) int64    // that a worker uses
	released atomic.Int32           // how many times memory was released
}

// checkedNext is Next of a rota, which panics if the rota wasn't told of a change: then all its
// members say something else.
func checkedNext(r *reload.Rota, p reload.Policy, g reload.Goal, now time.Time) ([]reload.Step, time.Time) {
	steps, wake := r.Next(p, g, now)
	want, wantWake := p.Next(g, r.Members(), now)
	if !slices.Equal(steps, want) || !wake.Equal(wantWake) {
		panic(fmt.Sprintf("a change of a member wasn't reported: %v, wake %v, want %v, wake %v; goal %+v, members %+v", steps, wake, want, wantWake, g, r.Members()))
	}
	return steps, wake
}

// fakeProc is a worker, from both sides: a link for the master, and the program.
type fakeProc struct {
	os     *fakeOS
	id     link.Identity
	env    map[string]string
	frames chan link.Packet // to the master
	got    chan wire.Frame  // from the master
	eof    chan struct{}    // closed when the worker's end of the link closes
	closed chan struct{}    // closed when the master's does
	died   chan struct{}    // closed when the process has ended
	once   [3]sync.Once
	exit   Exit
	sigs   []os.Signal
}

func (o *fakeOS) sys() sys {
	return sys{
		next: checkedNext,
		prepare: func(number int, cfg Config, _ *os.File) (*generation, error) {
			if o.prepare != nil {
				if err := o.prepare(number); err != nil {
					return nil, err
				}
			}
			return &generation{Number: number, Config: cfg}, nil
		},
		spawn: o.start,
		open: func(_ context.Context, ask sockets.Request) (sockets.Opened, error) {
			o.mu.Lock()
			defer o.mu.Unlock()
			if err := o.bindErr; err != nil {
				o.bindErr = nil
				return sockets.Opened{}, err
			}
			o.bound = append(o.bound, ask.Address)
			return newBound(len(o.bound))
		},
		residentBytes: func(pid int) int64 { return o.memory(pid) },
		reap:          func(map[int]bool) []int { return nil },
		releaseMemory: func() { o.released.Add(1) },
		pid:           func() int { return 100 },
		masters: successor.System{
			Predecessor: func() (*successor.Link, bool, error) { return nil, false, nil },
			AwaitParent: func(context.Context) {},
			Kill:        func(string) {},
		},
	}
}

// processExit is the end of a fake process.
func processExit(x Exit) process.Exit {
	return process.Exit{Code: x.Code, Signal: x.Signal, Err: x.Err}
}

// newBound is a descriptor with an address.
func newBound(port int) (sockets.Opened, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return sockets.Opened{}, err
	}
	defer r.Close()
	defer w.Close()
	fd, err := descriptor.DupOf(r)
	return sockets.Opened{FD: fd, Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1000 + port}}, err
}

func (o *fakeOS) start(_ *process.Image, id link.Identity, env map[string]string) (*child.Process, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.spawn != nil {
		if err := o.spawn(id.ID); err != nil {
			return nil, err
		}
	}
	p := &fakeProc{os: o, id: id, env: env,
		frames: make(chan link.Packet, 64), got: make(chan wire.Frame, 64),
		eof: make(chan struct{}), closed: make(chan struct{}), died: make(chan struct{})}
	o.procs = append(o.procs, p)
	script := o.script
	if script == nil {
		script = (*fakeProc).serve
	}
	go script(p)
	return &child.Process{Link: p, OS: &os.Process{Pid: 100 + id.ID}, Kill: p.signal,
		Wait: func() process.Exit { <-p.died; return processExit(p.exit) }}, nil
}

// The master's end of the link.

func (p *fakeProc) Send(f wire.Frame, files ...*descriptor.FD) error {
	for _, fd := range files {
		_ = fd.Close()
	}
	select {
	case p.got <- f:
		return nil
	case <-p.eof:
		return link.ErrClosed
	}
}

func (p *fakeProc) Receive() ([]link.Packet, error) {
	select {
	case f := <-p.frames:
		return []link.Packet{f}, nil
	default:
	}
	select {
	case f := <-p.frames:
		return []link.Packet{f}, nil
	case <-p.eof:
		return nil, io.EOF
	case <-p.closed:
		return nil, link.ErrClosed
	}
}

func (p *fakeProc) CloseReceived() {}

func (p *fakeProc) CloseRead() error {
	p.unlink()
	return nil
}

func (p *fakeProc) CloseWrite(context.Context) error { return nil }

func (p *fakeProc) Close() error {
	p.once[0].Do(func() { close(p.closed) })
	return nil
}

func (p *fakeProc) signal(s os.Signal) error {
	p.os.mu.Lock()
	p.sigs = append(p.sigs, s)
	p.os.mu.Unlock()
	if s == os.Kill {
		p.die(Exit{Signal: syscall.SIGKILL})
	}
	return nil
}

// The worker's side.

func (p *fakeProc) say(t wire.Type, body any) {
	f := wire.Frame{Type: t}
	if body != nil {
		f.Body = wire.Body(body)
	}
	p.frames <- link.Packet{Frame: f}
}

func (p *fakeProc) hello() { p.say(wire.Hello, wire.HelloBody{Min: 1, Max: 1}) }

// pings is hello of a worker that answers when it is asked for a sign of life.
func (p *fakeProc) pings() { p.say(wire.Hello, wire.HelloBody{Min: 1, Max: 1, Pings: true}) }

// listen asks for a socket and returns the answer.
func (p *fakeProc) listen(network, address string) wire.Frame {
	return p.ask(bind.Request{Network: network, Address: address})
}

func (p *fakeProc) ask(body bind.Request) wire.Frame {
	p.frames <- link.Packet{Frame: wire.Frame{Type: wire.Listen, Call: 1, Body: wire.Body(body)}}
	for f := range p.got {
		if f.Call == 1 {
			return f
		}
	}
	panic("unreachable")
}

// accept is listen, and the first Accept. It returns the id of the socket.
func (p *fakeProc) accept(network, address string) (id int) {
	var s wire.SocketBody
	if f := p.listen(network, address); f.Type == wire.Socket && f.Decode(&s) == nil {
		p.say(wire.Accepting, wire.AcceptingBody{ID: s.ID})
	}
	return s.ID
}

func (p *fakeProc) unlink() { p.once[1].Do(func() { close(p.eof) }) }

// die ends the process.
func (p *fakeProc) die(x Exit) {
	p.once[2].Do(func() {
		p.exit = x
		p.unlink()
		close(p.died)
	})
}

// serve serves until it gets a disconnect frame.
func (p *fakeProc) serve() {
	p.hello()
	p.accept("tcp", ":80")
	p.obey()
}

// obey waits for Disconnect, and leaves.
func (p *fakeProc) obey() {
	if p.await(wire.Disconnect) {
		p.say(wire.Draining, nil)
		p.die(Exit{})
	}
}

// await waits for a frame. It returns false if the process ends first.
func (p *fakeProc) await(t wire.Type) bool {
	for {
		select {
		case f := <-p.got:
			if f.Type == t {
				return true
			}
		case <-p.died:
			return false
		}
	}
}

// bench is a master in a bubble.
type bench struct {
	*Master
	os     *fakeOS
	result chan error
}

// inBubble runs f with a master on a fake system. At the end the master is closed, and
// nothing of it may be left.
func inBubble(t *testing.T, cfg Config, f func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		b := &bench{os: &fakeOS{}, result: make(chan error, 1)}
		b.Master = newMaster(cfg, b.os.sys())
		f(t, b)
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// run starts the pool and lets it come to rest.
func (b *bench) run() {
	go func() { b.result <- b.Run(context.Background()) }()
	synctest.Wait()
}

// living returns the ids of the workers that live.
func (b *bench) living() (ids []int) {
	for _, w := range b.Workers() {
		ids = append(ids, w.ID())
	}
	return ids
}

func (b *bench) proc(id int) *fakeProc {
	b.os.mu.Lock()
	defer b.os.mu.Unlock()
	for _, p := range b.os.procs {
		if p.id.ID == id {
			return p
		}
	}
	return nil
}

func (b *bench) wantLiving(t *testing.T, want ...int) {
	t.Helper()
	synctest.Wait()
	if got := b.living(); !slices.Equal(got, want) {
		t.Errorf("workers %v live, want %v", got, want)
	}
}

var errTest = errors.New("test")

func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
