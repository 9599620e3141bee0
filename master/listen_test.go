package master

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/wire"
)

// How workers share sockets.

// idle is the script of a worker that says hello and leaves the rest to the test.
func idle(p *fakeProc) {
	p.hello()
	<-p.got // welcome
}

// forked starts n idle workers.
func (b *bench) forked(t *testing.T, n int) (procs []*fakeProc) {
	t.Helper()
	b.os.script = idle
	for range n {
		w, err := b.Fork(nil)
		if err != nil {
			t.Fatal(err)
		}
		procs = append(procs, b.proc(w.ID()))
	}
	synctest.Wait()
	return procs
}

// socketOf returns the id of the socket in an answer; 0 for a refusal.
func socketOf(f wire.Frame) int {
	var s wire.SocketBody
	if f.Type != wire.Socket || f.Decode(&s) != nil {
		return 0
	}
	return s.ID
}

// errorOf returns the error of a refusal; nil for a socket.
func errorOf(f wire.Frame) error {
	var body wire.FailedBody
	if f.Type != wire.Failed || f.Decode(&body) != nil {
		return nil
	}
	return neterr.Decode(body)
}

// Requests for the same network and address share one socket, which stays open when
// workers die, for a worker that asks for it soon.
func TestSameAddressIsOneSocket(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 3)
		one, two := socketOf(p[0].listen("tcp", ":80")), socketOf(p[1].listen("tcp", ":80"))
		if one == 0 || one != two {
			t.Errorf("sockets %d and %d, want the same", one, two)
		}
		p[0].die(Exit{})
		p[1].die(Exit{})
		elapse(29 * time.Second) // see TestSocketsOfForkedWorkers
		if again := socketOf(p[2].listen("tcp", ":80")); again != one {
			t.Errorf("after both have died socket %d, want %d", again, one)
		}
		if want := []string{":80"}; !slices.Equal(b.os.bound, want) {
			t.Errorf("bound %v, want %v", b.os.bound, want)
		}
	})
}

// The n-th request of every worker for port 0 gets the n-th socket. After Close a request
// gets the same socket again.
func TestPortZero(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 2)
		a1, a2 := socketOf(p[0].listen("tcp", ":0")), socketOf(p[0].listen("tcp", ":0"))
		b1, b2 := socketOf(p[1].listen("tcp", ":0")), socketOf(p[1].listen("tcp", ":0"))
		if a1 == a2 || a2 == 0 || a1 != b1 || a2 != b2 {
			t.Errorf("sockets %d %d and %d %d, want two, shared", a1, a2, b1, b2)
		}
		p[0].say(wire.Closed, wire.ClosedBody{ID: a1})
		if again := socketOf(p[0].listen("tcp", ":0")); again != a1 {
			t.Errorf("after Close socket %d, want %d", again, a1)
		}
	})
}

// A unix socket without a name is handled like port 0: the system chooses the name.
func TestNameless(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 2)
		a1, a2 := socketOf(p[0].listen("unix", "")), socketOf(p[0].listen("unix", ""))
		b1, b2 := socketOf(p[1].listen("unix", "")), socketOf(p[1].listen("unix", ""))
		if a1 == a2 || a2 == 0 || a1 != b1 || a2 != b2 {
			t.Errorf("sockets %d %d and %d %d, want two, shared", a1, a2, b1, b2)
		}
		p[0].say(wire.Closed, wire.ClosedBody{ID: a1})
		p[1].say(wire.Closed, wire.ClosedBody{ID: b1})
		elapse(2 * sockets.Linger)
		p[0].listen("unix", "")
		if want := []string{"", "", "127.0.0.1:1001"}; !slices.Equal(b.os.bound, want) { // the name that the fake gives
			t.Errorf("bound %q, want %q", b.os.bound, want)
		}
	})
}

// A socket of port 0 that every worker has closed gets the same port when it is opened
// again.
func TestPortZeroKeepsItsNumber(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 1)[0]
		id := socketOf(p.listen("tcp", "127.0.0.1:0"))
		p.say(wire.Closed, wire.ClosedBody{ID: id})
		elapse(2 * sockets.Linger)
		p.listen("tcp", "127.0.0.1:0")
		if want := []string{"127.0.0.1:0", "127.0.0.1:1001"}; !slices.Equal(b.os.bound, want) {
			t.Errorf("bound %v, want %v", b.os.bound, want)
		}
	})
}

// A worker that asks for a socket that it holds gets EADDRINUSE. After Close it may ask
// again.
func TestSameAddressTwice(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 1)[0]
		id := socketOf(p.listen("tcp", ":80"))
		err := errorOf(p.listen("tcp", ":80"))
		var op *net.OpError
		if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &op) || op.Op != "listen" {
			t.Errorf("the second: %v, want listen's EADDRINUSE", err)
		}
		p.say(wire.Closed, wire.ClosedBody{ID: id})
		if again := socketOf(p.listen("tcp", ":80")); again != id {
			t.Errorf("after Close socket %d, want %d", again, id)
		}
	})
}

// Addresses are compared as they were written: different spellings are different sockets.
func TestAddressesAsAsked(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 1)[0]
		seen := map[int]bool{}
		for _, a := range []string{":80", "0.0.0.0:80", "127.0.0.1:80"} {
			seen[socketOf(p.listen("tcp", a))] = true
		}
		if len(seen) != 3 {
			t.Errorf("sockets %v, want three", seen)
		}
	})
}

// A packet request for a stream network gets the system's error, and so does a stream
// request for a packet network. Neither gets the open socket of the same name, whether
// another worker holds it, the same worker, or none any more.
func TestKindsAreApart(t *testing.T) {
	for _, ask := range []bind.Request{
		{Network: "tcp", Address: "127.0.0.1:0"},
		{Network: "unix", Address: "/s"},
		{Network: "udp", Address: ":53", Packet: true},
		{Network: "fdgram", Address: "web", Packet: true},
	} {
		inBubble(t, Config{}, func(t *testing.T, b *bench) {
			p := b.forked(t, 2)
			odd := ask
			odd.Packet = !odd.Packet
			wrong := func(who string, p *fakeProc) {
				b.os.bindErr = &net.OpError{Op: "listen", Net: ask.Network, Err: errTest}
				if err := errorOf(p.ask(odd)); err == nil || !strings.HasSuffix(err.Error(), errTest.Error()) {
					t.Errorf("%s %s, %s: %v, want the system's error", ask.Network, ask.Address, who, err)
				}
			}
			id := socketOf(p[0].ask(ask))
			wrong("of another worker", p[1])
			wrong("of the same", p[0])
			p[0].say(wire.Closed, wire.ClosedBody{ID: id})
			synctest.Wait()
			wrong("of nobody", p[0])
			if again := socketOf(p[1].ask(ask)); again != id {
				t.Errorf("%s %s: then socket %d, want %d", ask.Network, ask.Address, again, id)
			}
		})
	}
}

// A socket that every worker has closed is closed after a while, unless the worker that
// closed it dies meanwhile.
func TestClosedByEverybody(t *testing.T) {
	for _, dies := range []bool{false, true} {
		inBubble(t, Config{}, func(t *testing.T, b *bench) {
			p := b.forked(t, 2)
			id := socketOf(p[0].listen("tcp", ":80"))
			p[0].say(wire.Closed, wire.ClosedBody{ID: id})
			synctest.Wait()
			if dies {
				p[0].die(Exit{})
			}
			elapse(2 * sockets.Linger)
			again := socketOf(p[1].listen("tcp", ":80"))
			if kept := again == id; kept != dies {
				t.Errorf("its last holder died: %v; kept: %v", dies, kept)
			}
		})
	}
}

// A completed reload closes the sockets that the new generation didn't ask for.
func TestReloadClosesUnusedSockets(t *testing.T) {
	inBubble(t, Config{Workers: 2, MinUptime: -1}, func(t *testing.T, b *bench) {
		b.run()
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":81")
			p.obey()
		}
		if err := b.reload(t); err != nil {
			t.Fatal(err)
		}
		var open []string
		_ = b.loop.Ask(func(l *loop) error {
			for s := range l.sockets.Sockets() {
				open = append(open, s.Key.Address)
			}
			return nil
		})
		if want := []string{":81"}; !slices.Equal(open, want) {
			t.Errorf("open: %v, want %v", open, want)
		}
	})
}

// A stop closes the sockets when the last worker begins to drain, not when it has exited.
func TestStopClosesSockets(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) {
			p.hello()
			p.accept("tcp", ":80")
			<-p.died // it has a request in flight
		}
		ctx, stop := context.WithCancel(t.Context())
		go func() { b.result <- b.Run(ctx) }()
		synctest.Wait()
		stop()
		synctest.Wait()
		if n := b.open(); n != 0 || len(b.living()) == 0 {
			t.Errorf("%d sockets and workers %v, want none while one lives", n, b.living())
		}
	})
}

// Disconnect closes the sockets like a stop. A last worker that leaves by itself doesn't:
// the program may fork another.
func TestDisconnectClosesSockets(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		p := b.forked(t, 2)
		p[0].listen("tcp", ":80")
		p[0].say(wire.Draining, nil)
		p[1].say(wire.Draining, nil)
		synctest.Wait()
		if n := b.open(); n != 1 {
			t.Errorf("they leave by themselves: %d sockets, want 1", n)
		}
		third := b.forked(t, 1)[0]
		third.listen("tcp", ":81")
		go func() { b.result <- b.Disconnect(context.Background()) }()
		synctest.Wait()
		if n := b.open(); n != 0 || len(b.living()) != 3 {
			t.Errorf("at Disconnect: %d sockets and workers %v, want none while all live", n, b.living())
		}
	})
}

// open returns how many sockets are open.
func (b *bench) open() (n int) {
	_ = b.loop.Ask(func(l *loop) error {
		for range l.sockets.Sockets() {
			n++
		}
		return nil
	})
	return n
}

func TestAllowMayRefuse(t *testing.T) {
	requests := make(chan SocketRequest, 3)
	allow := func(w *Worker, r SocketRequest) error {
		requests <- r
		if r.Address == ":80" {
			return syscall.EPERM
		}
		return nil
	}
	inBubble(t, Config{Allow: allow}, func(t *testing.T, b *bench) {
		p := b.forked(t, 1)[0]
		if err := errorOf(p.listen("tcp", ":80")); !errors.Is(err, syscall.EPERM) {
			t.Errorf(":80: %v, want EPERM", err)
		}
		if socketOf(p.listen("tcp", ":81")) == 0 {
			t.Error(":81 was refused")
		}
	})
	for _, want := range []SocketRequest{{Network: "tcp", Address: ":80"}, {Network: "tcp", Address: ":81"}} {
		if got := <-requests; got != want {
			t.Errorf("Allow got %+v, want %+v", got, want)
		}
	}
}

// A frame that violates the protocol ends the link of the worker that sent it, and of no
// other.
func TestNonsenseFromAWorker(t *testing.T) {
	for name, f := range map[string]wire.Frame{
		"a master's frame":  {Type: wire.Welcome},
		"a body of garbage": {Type: wire.Listen, Body: []byte("}{")},
		"hello again":       {Type: wire.Hello, Body: []byte(`{"min":1,"max":1}`)},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, b *bench) {
				p := b.forked(t, 2)
				p[0].frames <- link.Packet{Frame: f}
				p[0].say(wire.Listen, bind.Request{Network: "tcp", Address: ":81"})
				synctest.Wait()
				if b.open() > 0 {
					t.Error("a frame after that was obeyed")
				}
				if b.Worker(1).IsConnected() {
					t.Error("its link is still open")
				}
				if socketOf(p[1].listen("tcp", ":80")) == 0 || !b.Worker(2).IsConnected() {
					t.Error("the other worker noticed")
				}
			})
		})
	}
}

func TestFramesBeforeHello(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) { p.say(wire.Ready, nil) }
		w, err := b.Fork(nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if w.IsConnected() {
			t.Error("its link is still open")
		}
	})
}

func TestVersionsThatDontMeet(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.os.script = func(p *fakeProc) { p.say(wire.Hello, wire.HelloBody{Min: 7, Max: 9}) }
		w, err := b.Fork(nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var body wire.RefuseBody
		if f := <-b.proc(1).got; f.Type != wire.Refuse || f.Decode(&body) != nil {
			t.Fatalf("answer %v, want refuse", f.Type)
		}
		if want := "it speaks versions 7 to 9 of the protocol, this master 1 to 1"; body.Reason != want {
			t.Errorf("reason %q, want %q", body.Reason, want)
		}
		if w.IsConnected() {
			t.Error("its link is still open")
		}
	})
}

// A socket of forked workers is closed when all have been gone for half a minute and no other
// has asked for it: docs/sockets.md.
func TestSocketsOfForkedWorkers(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		open := func() (n int) {
			_ = b.loop.Ask(func(l *loop) error {
				for range l.sockets.Sockets() {
					n++
				}
				return nil
			})
			return n
		}
		for id := 1; id <= 2; id++ {
			if _, err := b.Fork(nil); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			b.proc(id).die(Exit{})
			elapse(29 * time.Second)
			if n := open(); n != 1 {
				t.Errorf("%d sockets 29 s after the end of worker %d, want 1", n, id)
			}
		}
		elapse(2 * time.Second)
		if n := open(); n != 0 {
			t.Errorf("%d sockets after another 2 s, want none", n)
		}
	})
}

// How many workers have connections at a time goes by the processors that the process was started with, however few the
// master itself uses.
func TestProcessorsOfTheStart(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	inBubble(t, Config{}, func(t *testing.T, b *bench) {
		b.run()
		_ = b.loop.Ask(func(l *loop) error {
			if n := l.balancer.Processors; n != process.Processors() {
				t.Errorf("the balancer goes by %d processors, want %d", n, process.Processors())
			}
			if n := l.sockets.Processors; n != process.Processors() {
				t.Errorf("the sockets go by %d processors, want %d", n, process.Processors())
			}
			return nil
		})
	})
}
