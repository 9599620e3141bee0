//go:build linux

package master

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/delivery"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// lead asks for the lease, by a call with the worker's id.
func (a *actor) lead() {
	a.call(wire.Lead, wire.Body(wire.LeadBody{Name: "a"}))
}

func (a *actor) call(t wire.Type, body []byte) {
	a.link.deliver(link.Packet{Frame: wire.Frame{Type: t, Call: uint32(a.id.ID), Body: body}})
}

// stays says hello and stays, also when it is told to leave.
func (a *actor) stays() {
	a.hello()
	for f := range a.link.orders() {
		if f.Type == wire.Disconnect {
			a.say(wire.Draining, nil)
		}
	}
}

// A lease is given on when its holder has yielded, or its process has ended; not when it
// drains, and not when its link is closed.
func TestLeaseIsGivenOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = (*actor).stays
		var all []*actor
		for range 4 {
			_, a := w.fork()
			a.lead()
			synctest.Wait()
			all = append(all, a)
		}
		leads := func(when string, want ...int) {
			w.t.Helper()
			synctest.Wait()
			for i, a := range all {
				if n := len(a.link.got(wire.Leads)); n != want[i] {
					w.t.Errorf("%s: worker %d has got %d leases, want %d", when, i+1, n, want[i])
				}
			}
		}
		leads("asked", 1, 0, 0, 0)
		_ = w.Worker(1).Disconnect()
		_ = w.Worker(2).Disconnect() // it waits, and never gets one
		leads("worker 1 drains", 1, 0, 0, 0)
		all[0].link.hangUp()
		leads("its link is closed", 1, 0, 0, 0)
		all[0].die(Exit{})
		leads("it has ended", 1, 0, 1, 0)
		all[2].call(wire.Yield, nil)
		leads("worker 3 has yielded", 1, 0, 1, 1)
	})
}

// A broadcast reaches all others, in order, with the sender's id.
func TestBroadcast(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = (*actor).stays
		_, one := w.fork()
		_, two := w.fork()
		three, silent := w.fork()
		_ = three.Disconnect() // one that drains gets it too
		synctest.Wait()
		one.call(wire.Broadcast, []byte(`"a"`))
		synctest.Wait()
		two.call(wire.Broadcast, []byte(`"b"`))
		synctest.Wait()
		for a, want := range map[*actor]string{one: `2:"b"`, two: `1:"a"`, silent: `1:"a" 2:"b"`} {
			if got := a.broadcasts(); got != want {
				t.Errorf("worker %d got %s, want %s", a.id.ID, got, want)
			}
		}
	})
}

func (a *actor) broadcasts() string {
	a.link.mu.Lock()
	defer a.link.mu.Unlock()
	var all []string
	for _, f := range a.link.sent {
		if f.Type == wire.Broadcast {
			all = append(all, fmt.Sprintf("%d:%s", f.Call, f.Body))
		}
	}
	return strings.Join(all, " ")
}

// A worker that doesn't read misses broadcasts: that is logged once, and counted.
func TestMissedBroadcasts(t *testing.T) {
	inWorld(t, func(w *world) {
		w.behave = (*actor).stays
		_, sender := w.fork()
		worker, deaf := w.fork()
		exits := make(chan Exit, 1)
		worker.Subscribe(Events{Exit: func(_ *Worker, x Exit) { exits <- x }})
		deaf.link.full = true
		for range 3 {
			sender.call(wire.Broadcast, []byte(`1`))
		}
		synctest.Wait()
		deaf.die(Exit{})
		if x := <-exits; x.Undelivered != 3 {
			t.Errorf("%d undelivered, want 3", x.Undelivered)
		}
		if n := strings.Count(w.log(), "misses broadcasts"); n != 1 {
			t.Errorf("%d lines about it, want 1:\n%s", n, w.log())
		}
	})
}

// Broadcasts that come faster than the master passes them on are not read.
func TestFloodOfBroadcasts(t *testing.T) {
	inWorld(t, func(w *world) {
		_, a := w.fork()
		_, b := w.fork()
		const n = 10
		for range n {
			a.link.deliver(link.Packet{Frame: wire.Frame{Type: wire.Broadcast, Body: make([]byte, delivery.MaxWaiting)}})
		}
		synctest.Wait()
		if got := len(b.link.got(wire.Broadcast)); got != n {
			t.Errorf("%d broadcasts were passed on, want %d: the window doesn't open again", got, n)
		}
	})
}

// The Exit event says how many messages the worker has not taken.
func TestUndelivered(t *testing.T) {
	for taken, want := range map[int]int{0: 3, 2: 1, 3: 0, 99: 0} {
		inWorld(t, func(w *world) {
			w.behave = (*actor).stays
			worker, a := w.fork()
			exits := make(chan Exit, 1)
			worker.Subscribe(Events{Exit: func(_ *Worker, x Exit) { exits <- x }})
			for i := range 3 {
				if err := worker.Send(i); err != nil {
					t.Error(err)
				}
			}
			a.say(wire.Taken, wire.TakenBody{Messages: taken})
			synctest.Wait()
			a.die(Exit{Signal: syscall.SIGKILL})
			time.Sleep(time.Second)
			if x := <-exits; x.Undelivered != want || x.Signal != syscall.SIGKILL {
				t.Errorf("%d of 3 taken: %+v, want %d undelivered", taken, x, want)
			}
			if logged := strings.Contains(w.log(), fmt.Sprintf("messages=%d", want)); logged != (want > 0) {
				t.Errorf("%d undelivered; the log:\n%s", want, w.log())
			}
		})
	}
}
