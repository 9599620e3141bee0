package workerproc

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/conn"
	"github.com/rota-go/rota/internal/grace"
	"github.com/rota-go/rota/internal/ratelimit"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// Accept keeps blocking while accepted connections are open, and returns net.ErrClosed when
// the last has closed (docs/contract.md#disconnect-3).
func TestAcceptBlocksUntilTheLastConnectionHasClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		conns, failed := accepts(b.Track(pipe))
		defer pipe.dial().Close()
		defer pipe.dial().Close()
		first, second := <-conns, <-conns
		b.receive(wire.Disconnect, nil)
		<-b.Disconnecting()
		first.Close()
		first.Close() // counts once
		if b.hasLeft() || len(failed) > 0 {
			t.Fatal("the worker left with an open connection")
		}
		second.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
		if !b.hasLeft() || !b.link.halfClosed() {
			t.Error("the worker has not left")
		}
	})
}

// The drain waits for a connection that accept(2) has returned but Accept has not
// (docs/facts.md#f-accept-race).
func TestConnectionBeforeAcceptReturns(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		pipe.gap = make(chan struct{})
		conns, _ := accepts(b.Track(pipe))
		defer pipe.dial().Close()
		synctest.Wait()
		b.receive(wire.Disconnect, nil)
		if b.hasLeft() {
			t.Fatal("the worker left with a connection between accept and Accept")
		}
		close(pipe.gap)
		c := <-conns
		if b.hasLeft() {
			t.Fatal("the worker left with an open connection")
		}
		c.Close()
		if !b.hasLeft() {
			t.Error("the worker has not left")
		}
	})
}

// At the end of the grace the remaining connections are closed
// (docs/contract.md#disconnect-5).
func TestGraceEndsTheDrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: 3 * time.Second, IdleGrace: time.Second})
		pipe := newPipeListener()
		conns, failed := accepts(b.Track(pipe))
		client := pipe.dial()
		<-conns
		begin := time.Now()
		if err := b.Disconnect(); err != nil {
			t.Fatal(err)
		}
		<-failed
		if d := time.Since(begin); d != 3*time.Second {
			t.Errorf("the drain took %v, want the grace of 3s", d)
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the connection was not closed")
		}
	})
}

// A client that always has a further request under way is told to reconnect in the last half of the grace, also if it is slow, and not
// cut at its end.
func TestSlowPipelineEndsInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: 20 * time.Second, IdleGrace: time.Second})
		ln, err := b.trackListener(&listener{Listener: newPipeListener(), id: 1}, bind.Request{})
		if err != nil {
			t.Fatal(err)
		}
		client, program, _ := b.tracked(ln.(*listener))
		send := func() { _, _ = client.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }
		go func() {
			defer program.Close()
			p := make([]byte, 100)
			for _, err := program.Read(p); err == nil; _, err = program.Read(p) {
				time.AfterFunc(time.Second, func() { _, _ = program.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n")) })
			}
		}()
		send()
		time.AfterFunc(time.Second/2, send)
		_ = b.Disconnect()
		begin, br := time.Now(), bufio.NewReader(client)
		for r, err := http.ReadResponse(br, nil); err == nil; r, err = http.ReadResponse(br, nil) {
			if !r.Close {
				go send()
			}
		}
		if d := time.Since(begin); d < 10*time.Second || d > 15*time.Second {
			t.Errorf("the connection ends after %v, want half of the grace", d)
		}
		<-b.Done()
	})
}

// The master says with the order how long the drain may take, and may say so again. What is cut
// earlier is told with the time that it had.
func TestMasterBoundsTheDrain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		orders []time.Duration // one a second
		want   time.Duration
	}{
		{"longer than the worker's own", []time.Duration{time.Minute}, time.Minute},
		{"shorter", []time.Duration{2 * time.Second}, 2 * time.Second},
		{"at once", []time.Duration{0}, 0},
		{"shorter than said before", []time.Duration{time.Hour, time.Second}, 2 * time.Second},
		{"at once after all", []time.Duration{grace.NoLimit, 0}, time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bench) {
				b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: 3 * time.Second, IdleGrace: time.Second})
				hooks := make(chan error, 1)
				b.OnDisconnect(func(ctx context.Context) error { <-ctx.Done(); hooks <- ctx.Err(); return nil })
				pipe := newPipeListener()
				conns, failed := accepts(b.Track(pipe))
				defer pipe.dial().Close()
				<-conns
				begin := time.Now()
				for i, within := range tc.orders {
					time.Sleep(time.Duration(min(i, 1)) * time.Second)
					b.receive(wire.Disconnect, wire.DisconnectBody{Grace: within})
				}
				<-failed
				if d := time.Since(begin); d != tc.want {
					t.Errorf("the drain took %v, want %v", d, tc.want)
				}
				if tc.want > time.Second {
					if err := <-hooks; !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("the context of a hook ends with %v", err)
					}
				}
			})
		})
	}
}

// At the end of the grace, connections that wait for no answer are closed first.
func TestQuietConnectionsAreClosedFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		var order []string
		shared := func(name string) *conn.Shared {
			return &conn.Shared{
				Draining: &b.drain.draining, Limiter: &b.drain.limiter,
				Closed: func(c *conn.Tracked) { order = append(order, name); b.drain.removeConn(c) },
			}
		}
		client, s1 := net.Pipe()
		_, s2 := net.Pipe()
		program, busy := conn.NewTracked(halfPipe{s1}, shared("busy"))
		_, quiet := conn.NewTracked(halfPipe{s2}, shared("quiet"))
		go func() { _, _ = client.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }()
		_, _ = program.Read(make([]byte, 1024))
		b.drain.addConn(quiet)
		b.drain.addConn(busy) // first in the list
		b.drain.closeRest()
		if len(order) != 2 || order[0] != "quiet" {
			t.Errorf("closed in the order %v, want the quiet one first", order)
		}
	})
}

// The program may close the listener itself: then Accept returns at once, and the
// worker still waits for the connections.
func TestProgramClosesTheListener(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		ln := b.Track(pipe)
		conns, failed := accepts(ln)
		defer pipe.dial().Close()
		c := <-conns
		b.receive(wire.Disconnect, nil)
		if err := ln.Close(); err != nil {
			t.Errorf("Close in a drain: %v", err)
		}
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
		if b.hasLeft() {
			t.Error("the worker left with an open connection")
		}
		c.Close()
		if !b.hasLeft() {
			t.Error("the worker has not left")
		}
	})
}

// Listen after Disconnect fails at once.
func TestListenAfterDisconnect(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Disconnect, nil)
		_, err := b.Listen(context.Background(), bind.Request{Network: "tcp", Address: ":80"})
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "listen" || !errors.Is(err, ipc.ErrDisconnected) {
			t.Errorf("error %v (%T), want a *net.OpError with ipc.ErrDisconnected", err, err)
		}
		for name, err := range map[string]error{"Ready": b.Ready(), "Disconnect": b.Disconnect(), "Kill": b.Kill()} {
			if !errors.Is(err, ipc.ErrDisconnected) {
				t.Errorf("%s after the drain: %v, want ipc.ErrDisconnected", name, err)
			}
		}
		if ln := newPipeListener(); b.Track(ln) != net.Listener(ln) {
			t.Error("Track after the drain returns another listener")
		} else if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("its Accept: %v, want net.ErrClosed", err)
		}
	})
}

// Track returns a listener of the worker unchanged.
func TestTrackTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		once := b.Track(newPipeListener())
		defer once.Close()
		if b.Track(once) != once {
			t.Error("Track wraps a listener of the worker again")
		}
	})
}

// If the master dies, the link has EOF: the worker drains and its process exits with
// status 0. Accept doesn't return before, so main can't continue.
func TestMasterGone(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		conns, failed := accepts(b.Track(pipe))
		defer pipe.dial().Close()
		c := <-conns
		close(b.link.gone)
		synctest.Wait()
		select {
		case <-b.Disconnecting():
		default:
			t.Fatal("no drain")
		}
		if len(b.exited) > 0 {
			t.Fatal("exit with an open connection")
		}
		c.Close()
		if status := <-b.exited; status != 0 {
			t.Errorf("exit status %d", status)
		}
		if len(failed) > 0 || b.hasLeft() {
			t.Error("Accept or Done returned before the exit")
		}
	})
}

// A worker that has left exits when the master dies, even if its main hangs.
func TestMasterGoneAfterTheDrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Disconnect, nil)
		if !b.hasLeft() || len(b.exited) > 0 {
			t.Fatal("the worker has not left, or ended its process")
		}
		close(b.link.gone)
		<-b.exited
	})
}

// A frame that only workers may send ends the link, and the worker drains.
func TestInvalidFrameFromMaster(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Hello, nil)
		if status := <-b.exited; status != 0 {
			t.Errorf("exit status %d", status)
		}
	})
}

func TestKillRetires(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if !b.hasLeft() || b.link.count(wire.Retire) != 1 || b.link.count(wire.Draining) != 1 {
			t.Errorf("sent %v, want retire and draining", b.link.sent)
		}
	})
}

func TestReadyIsSentOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for range 3 {
			if err := b.Ready(); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.link.count(wire.Ready); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}

// Only the first Accept of a listener sends Accepting.
func TestAcceptingIsSentOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		conns, _ := accepts(b.Track(pipe))
		if n := b.link.count(wire.Accepting); n > 1 {
			t.Fatal("sent before Accept")
		}
		for range 3 {
			defer pipe.dial().Close()
			defer (<-conns).Close()
		}
		if n := b.link.count(wire.Accepting); n != 1 {
			t.Errorf("sent %d times, want once", n)
		}
	})
}

// A listener's deadline also ends an Accept that the drain blocks.
func TestDeadlineDuringDrain(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		l := b.Track(pipe).(*listener)
		conns, _ := accepts(l)
		defer pipe.dial().Close()
		defer (<-conns).Close()
		b.receive(wire.Disconnect, nil)
		if err := l.deadline.Set(noDeadline{}, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := l.Accept()
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("Accept: %v, want a time-out", err)
		}
	})
}

// A new worker of a reload accepts nothing from a shared socket during its trial
// (docs/decisions/0006).
func TestHoldOff(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: time.Minute, HoldOff: 3 * time.Second})
		shared, own := newPipeListener(), newPipeListener()
		l, err := b.trackListener(&listener{Listener: shared, id: 4}, bind.Request{})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		conns, _ := accepts(l)
		ownConns, _ := accepts(b.Track(own))
		defer own.dial().Close()
		defer (<-ownConns).Close()
		if d := time.Since(begin); d != 0 {
			t.Errorf("a socket of its own was held off for %v", d)
		}
		synctest.Wait()
		if n := b.link.count(wire.Accepting); n != 2 {
			t.Errorf("Accepting was sent for %d of 2 sockets", n)
		}
		defer shared.dial().Close()
		defer (<-conns).Close()
		if d := time.Since(begin); d != 3*time.Second {
			t.Errorf("the first connection was accepted after %v, want 3s", d)
		}
	})
}

// The trial is the worker's, not each listener's: one that is opened during the trial waits
// for its end, and one that is opened afterwards accepts at once.
func TestTrialHappensOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: time.Minute, HoldOff: 3 * time.Second})
		begin := time.Now()
		open := func(id int) (waited time.Duration) {
			began, pipe := time.Now(), newPipeListener()
			l, err := b.trackListener(&listener{Listener: pipe, id: id}, bind.Request{})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			conns, _ := accepts(l)
			defer pipe.dial().Close()
			(<-conns).Close()
			return time.Since(began)
		}
		if !b.onTrial() {
			t.Error("not on trial before the first Accept")
		}
		go func() {
			time.Sleep(time.Second)
			if d := open(2); d != 2*time.Second {
				t.Errorf("a listener that was opened during the trial waited for %v, want 2s", d)
			}
		}()
		if d := open(1); d != 3*time.Second {
			t.Errorf("the first listener waited for %v, want 3s", d)
		}
		synctest.Wait()
		for id := range 5 {
			if d := open(3 + id); d != 0 {
				t.Errorf("a listener that was opened after the trial waited for %v", d)
			}
		}
		if b.onTrial() {
			t.Errorf("on trial after %v", time.Since(begin))
		}
	})
}

// The drain starts the rate limiter with at most a quarter of the grace.
func TestDrainStartsTheLimiter(t *testing.T) {
	for grace, want := range map[time.Duration]time.Duration{
		time.Minute:            ratelimit.Period,
		100 * time.Millisecond: 25 * time.Millisecond,
	} {
		inBubble(t, func(t *testing.T, b *bench) {
			const n = 1000
			ln, err := b.trackListener(&listener{Listener: newPipeListener(), id: 1}, bind.Request{})
			if err != nil {
				t.Fatal(err)
			}
			for range n {
				client, server := net.Pipe()
				defer client.Close()
				_, c := conn.New(server, ln.(*listener).conns)
				b.drain.addConn(c)
			}
			b.receive(wire.Welcome, wire.WelcomeBody{Version: 1, Grace: grace})
			b.receive(wire.Disconnect, nil)
			if last := ln.(*listener).conns.Limiter.Delay(n - 1); last.Round(time.Millisecond) != want {
				t.Errorf("grace %v: the last of %d connections may announce after %v, want %v", grace, n, last, want)
			}
		})
	}
}

// After HoldAccepts a listener that the program closes in the drain keeps Accept until the
// worker has left; without, it returns at once.
func TestHoldAccepts(t *testing.T) {
	for _, hold := range []bool{false, true} {
		inBubble(t, func(t *testing.T, b *bench) {
			pipe := newPipeListener()
			l := b.Track(pipe)
			conns, failed := accepts(l)
			defer pipe.dial().Close()
			c := <-conns
			b.receive(wire.Disconnect, nil)
			if hold {
				b.HoldAccepts()
			}
			l.Close()
			synctest.Wait()
			select {
			case <-failed:
				if hold {
					t.Error("Accept has returned before the worker has left")
				}
			default:
				if !hold {
					t.Error("Accept has not returned")
				}
			}
			c.Close()
			if !b.hasLeft() {
				t.Error("the worker has not left")
			}
			if hold {
				<-failed
			}
		})
	}
}

// A drain is settled when the program has come back to Accept on every listener that it
// accepts from.
func TestSettled(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		pipe := newPipeListener()
		l := b.Track(pipe)
		b.Track(newPipeListener()) // never used
		served := make(chan net.Conn)
		again := make(chan bool)
		go func() {
			c, _ := l.Accept()
			served <- c
			<-again
			_, _ = l.Accept()
		}()
		defer pipe.dial().Close()
		defer (<-served).Close()
		b.receive(wire.Disconnect, nil)
		if b.Settled() {
			t.Error("settled before the program has returned to Accept")
		}
		close(again)
		synctest.Wait()
		if !b.Settled() {
			t.Error("not settled when Accept is called again")
		}
	})
}

// noDeadline is a listener whose deadline has no effect.
type noDeadline struct{}

func (noDeadline) SetDeadline(time.Time) error { return nil }

// The master is told of a drain when it has begun: an answer after that announces the end.
func TestDrainBeginsBeforeItIsSaid(t *testing.T) {
	d := newDrain(new(atomic.Int64))
	said := false
	d.run(time.Second, 0, func() { said = d.draining.Load() })
	if !said {
		t.Error("it is said before")
	}
}
