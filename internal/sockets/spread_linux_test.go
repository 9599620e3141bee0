//go:build linux

package sockets

import (
	"encoding/json"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/mailbox"
	"github.com/rota-go/rota/internal/spread"
)

// rota is a Server with real sockets and a loop of its own, and holders that accept.
type rota struct {
	t    *testing.T
	s    *Server
	loop *mailbox.Mailbox[struct{}]

	mu       sync.Mutex
	queues   map[int]*descriptor.FD // by holder
	stopped  map[int]bool           // holders that accept nothing, and help nobody
	accepted map[int]int            // by holder
	asked    map[int]int            // how many times for help, by holder
	refused  []error

	open    map[int]int // what holders say that they have open, besides what they have accepted
	brief   bool        // what they have accepted doesn't stay open
	standby map[int]bool
	silent  bool // holders never say what they have
	levels  bool // connections are to be spread evenly
}

func newRota(t *testing.T, slots int) *rota {
	r := &rota{
		t: t, loop: mailbox.New[struct{}](errors.New("closed")),
		queues: map[int]*descriptor.FD{}, stopped: map[int]bool{}, accepted: map[int]int{}, asked: map[int]int{}, standby: map[int]bool{},
	}
	r.s = &Server{Table: New(2), Owner: r, Open: Open, Loop: Loop{Work: r.loop.Work, After: r.loop.After}}
	r.s.Processors = slots
	r.s.Resize(slots)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case f := <-r.loop.Calls():
				f(struct{}{})
			case <-end:
				r.s.Close()
				r.loop.End()
				return
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended; r.closeQueues() })
	return r
}

func (r *rota) closeQueues() {
	for _, fd := range r.queues {
		_ = fd.Close()
	}
}

func (r *rota) on(f func()) {
	r.t.Helper()
	if err := r.loop.Ask(func(struct{}) error { f(); return nil }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rota) Connected(int) bool { return true }
func (r *rota) Send(c Caller, s *Socket, fd *descriptor.FD) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queues[c.Holder] = fd
	r.s.AcceptsOn(c.Holder, s.ID, "", Terms{})
}
func (r *rota) Refuse(_ Caller, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, err)
}
func (r *rota) Denied(Caller, string) {}
func (r *rota) Count() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.levels
}
func (r *rota) Connections(holder int) (open, accepted int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	open, accepted = r.open[holder], r.accepted[holder]
	if !r.brief {
		open += accepted
	}
	return open, accepted, !r.silent
}
func (r *rota) StandBy(holder, id int, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.standby[holder] = d > 0
}
func (r *rota) CanHelp(holder int, own bool) bool { return true }
func (r *rota) Help(holder, id int, queue ...*descriptor.FD) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[holder]++
	defer descriptor.CloseAll(queue)
	if r.stopped[holder] {
		return
	}
	r.acceptAll(holder, append(queue, r.queues[holder])[0])
	r.s.Helped(holder)
}

// acceptAll accepts for a holder what waits in a queue.
func (r *rota) acceptAll(holder int, fd *descriptor.FD) {
	for {
		n, _, err := syscall.Accept4(fd.Int(), syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = syscall.Close(n)
		r.accepted[holder]++
	}
}

// work has all holders that are not stopped accept once.
func (r *rota) work() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for holder, fd := range r.queues {
		if !r.stopped[holder] {
			r.acceptAll(holder, fd)
		}
	}
}

// listen has holders with the slots from first to last ask for one address, and returns it.
func (r *rota) listen(address string, spread int, first, last int) string {
	r.t.Helper()
	for slot := first; slot <= last; slot++ {
		r.on(func() {
			r.s.Place(slot+1, slot)
			r.s.Ask(r.t.Context(), Caller{slot + 1, 1}, bind.Request{Network: "tcp", Address: address, Options: bind.Options{Spread: spread}}, Terms{})
		})
	}
	var addr string
	for end := time.Now().Add(10 * time.Second); addr == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("no answer")
		}
		r.on(func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.refused) > 0 {
				addr = "refused"
			}
			if len(r.queues) > last {
				for s := range r.s.Sockets() {
					addr = s.Addr.String()
				}
			}
		})
	}
	return addr
}

func (r *rota) dial(addr string, n int) {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(addr)
	for range n {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			r.t.Fatal(err)
		}
		_ = c.Close()
		r.work()
	}
}

func (r *rota) total() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.accepted {
		n += a
	}
	return n
}

// await waits until all connections are accepted.
func (r *rota) await(n int) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); r.total() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%d of %d connections accepted", r.total(), n)
		}
		r.work()
	}
}

// Each slot has a queue, and the kernel spreads connections over them; with Shared there is
// one.
func TestQueueForEachSlot(t *testing.T) {
	for spread, want := range map[int]int{bind.Auto: 1, bind.Slots: 4, bind.Shared: 1} {
		r := newRota(t, 4)
		addr := r.listen("127.0.0.1:0", spread, 0, 3)
		r.dial(addr, 400)
		r.await(400)
		cookies := map[uint64]bool{}
		for _, fd := range r.queues {
			c, err := descriptor.Cookie(fd.Int())
			if err != nil {
				t.Fatal(err)
			}
			cookies[c] = true
		}
		if len(cookies) != want {
			t.Errorf("%v: %d queues, want %d", spread, len(cookies), want)
		}
		for holder := 1; holder <= 4 && want > 1; holder++ {
			if n := r.accepted[holder]; n < 50 || n > 150 {
				t.Errorf("%v: accepted %v of 400, want about 100 each", spread, r.accepted)
			}
		}
	}
}

// A program that another has the address of gets the error of net.Listen, not a place in
// its group.
func TestQueuesOfAnotherProgram(t *testing.T) {
	r := newRota(t, 2)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 1)
	other := newRota(t, 2)
	other.listen(addr, bind.Slots, 0, 0)
	if len(other.refused) != 1 || !errors.Is(other.refused[0], syscall.EADDRINUSE) {
		t.Errorf("refused: %v, want EADDRINUSE", other.refused)
	}
}

// More slots get more queues; fewer slots leave queues without new connections, and what waits
// there is accepted.
func TestQueuesFollowTheSlots(t *testing.T) {
	r := newRota(t, 1)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 0)
	r.on(func() { r.s.Resize(3) })
	r.listen("127.0.0.1:0", bind.Slots, 1, 2)
	r.dial(addr, 300)
	r.await(300)
	for holder := 1; holder <= 3; holder++ {
		if n := r.accepted[holder]; n < 50 {
			t.Errorf("3 slots: accepted %v of 300, want about 100 each", r.accepted)
		}
	}
	r.mu.Lock()
	clear(r.accepted)
	r.stopped[3] = true
	r.mu.Unlock()
	r.on(func() { r.s.Resize(2); r.s.Released(3, nil) })
	r.dial(addr, 200)
	r.await(200)
	if r.accepted[3] > 0 || r.accepted[1] < 50 || r.accepted[2] < 50 {
		t.Errorf("2 slots: accepted %v of 200", r.accepted)
	}
}

// The connections of a slot whose worker is stopped, or gone, are accepted by others soon, also
// when nobody has come for a long time before.
func TestOthersAcceptForAStoppedSlot(t *testing.T) {
	for _, gone := range []bool{false, true} {
		r := newRota(t, 4)
		addr := r.listen("127.0.0.1:0", bind.Slots, 0, 3)
		r.mu.Lock()
		r.stopped[2] = true
		r.mu.Unlock()
		if gone {
			r.on(func() { r.s.Released(2, nil) })
		}
		for round := range 2 {
			before := r.total()
			r.dial(addr, 40)
			begin := time.Now()
			r.await(before + 40)
			if took := time.Since(begin); took > 5*time.Second { // about 40 ms, on an idle machine
				t.Errorf("gone %v, round %d: %v", gone, round, took)
			}
			if round == 0 {
				time.Sleep(spread.RestAfter + 100*time.Millisecond) // until nobody looks any more
			}
		}
		if r.accepted[2] > 0 {
			t.Errorf("the stopped holder has accepted %d", r.accepted[2])
		}
	}
}

// A successor gets all queues, and a slot's with its number.
func TestQueuesMoveToTheNextMaster(t *testing.T) {
	r := newRota(t, 3)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 2)
	next := New(2)
	next.Resize(3)
	r.on(func() {
		sent := map[[2]int]bool{}
		for range 2 { // the second time nothing is new
			_ = r.s.SendOpen(sent, func(payload json.RawMessage, fd *descriptor.FD) {
				if err := next.Restore(payload, []*descriptor.FD{fd}, false); err != nil {
					t.Error(err)
				}
			})
		}
	})
	defer next.CloseAll()
	for slot := range 3 {
		next.Place(10+slot, slot)
		answers, b := next.Ask(Caller{10 + slot, 1}, bind.Request{Network: "tcp", Address: "127.0.0.1:0", Options: bind.Options{Spread: bind.Slots}}, nil)
		if b != nil || len(answers) != 1 {
			t.Fatalf("slot %d: %v, %v", slot, answers, b)
		}
		was, _ := descriptor.Cookie(r.queues[slot+1].Int())
		is, err := descriptor.Cookie(answers[0].Socket.FD.Int())
		if was != is || err != nil || answers[0].Socket.Addr.String() != addr {
			t.Errorf("slot %s has another queue (%v)", strconv.Itoa(slot), err)
		}
	}
}

// queuesOf returns the cookies of the sockets of the only entry, by slot.
func queuesOf(t *testing.T, table *Table) (all []uint64) {
	t.Helper()
	for _, e := range table.byID {
		for _, fd := range e.all() {
			c, err := descriptor.Cookie(fd.Int())
			if err != nil {
				t.Error(err)
			}
			all = append(all, c)
		}
	}
	return all
}

// A master that dies leaves all queues, and the next one takes up those that it is given.
func TestQueuesAreTakenUp(t *testing.T) {
	r := newRota(t, 3)
	r.listen("127.0.0.1:0", bind.Slots, 0, 2)
	var all []left
	var want []uint64
	r.on(func() { all, want = leftBy(t, r.s.Table), queuesOf(t, r.s.Table) })
	for lost := range 4 {
		next, wants := New(2), slices.Clone(want)
		next.Resize(3)
		for slot, l := range all {
			if slot == lost {
				wants = slices.Delete(wants, slot, slot+1)
				continue
			}
			fd, err := l.fd.Dup()
			if err == nil {
				err = next.TakeUp(l.payload, fd)
			}
			if err != nil {
				t.Error(err)
			}
		}
		if got := queuesOf(t, next); !slices.Equal(got, wants) || len(next.byID) != 1 || !next.byID[1].own {
			t.Errorf("without slot %d: took up %d in %d entries, want %d", lost, got, len(next.byID), wants)
		}
		next.CloseAll()
	}
	for _, l := range all {
		_ = l.fd.Close()
	}
}

// What comes from the old master for the slots of an address while that is bound is a group.
func TestQueuesComeDuringABind(t *testing.T) {
	for _, wanted := range []int{bind.Shared, bind.Slots} {
		r := newRota(t, 3)
		r.listen("127.0.0.1:0", bind.Slots, 0, 2)
		next := New(2)
		next.Resize(3)
		next.Succeed()
		_, b := next.Ask(Caller{1, 1}, bind.Request{Network: "tcp", Address: "127.0.0.1:0", Options: bind.Options{Spread: wanted}}, nil)
		var want []uint64
		r.on(func() {
			want = queuesOf(t, r.s.Table)
			for range 2 { // the second time it has them
				_ = r.s.SendOpen(map[[2]int]bool{}, func(payload json.RawMessage, fd *descriptor.FD) {
					if err := next.Restore(payload, []*descriptor.FD{fd}, false); err != nil {
						t.Error(err)
					}
				})
			}
		})
		answers, again := next.Bound(b, Opened{}, syscall.EADDRINUSE, time.Now())
		if got := queuesOf(t, next); again != nil || len(answers) != 1 || answers[0].Err != nil || !slices.Equal(got, want) {
			t.Errorf("spread %d: %+v with the queues %d, want %d", wanted, answers, got, want)
		}
		next.CloseAll()
	}
}

// A queue that is opened for a new slot is a change of what would be left.
func TestQueuesCountAsChanges(t *testing.T) {
	r := newRota(t, 2)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 1)
	var before, after int
	r.on(func() { before = r.s.Changes(); r.s.Resize(3) })
	r.listen("127.0.0.1:0", bind.Slots, 2, 2)
	r.on(func() { after = r.s.Changes() })
	if after == before {
		t.Errorf("%s: a third queue is no change", addr)
	}
}

// The status adds up the queues.
func TestStatusOfQueues(t *testing.T) {
	r := newRota(t, 2)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 1)
	r.stopped[1], r.stopped[2] = true, true
	r.dial(addr, 8)
	r.on(func() {
		var one int
		for _, e := range r.s.byID {
			_, one = e.fd.AcceptQueue()
		}
		all := r.s.Status()
		if len(all) != 1 || all[0].Queue != 8 || all[0].Limit != 2*one {
			t.Errorf("%+v, want 8 of %d", all, 2*one)
		}
	})
}

// moves has next get the sockets of r, as in an upgrade.
func (r *rota) moves(next *rota) {
	next.on(func() { next.s.Succeed() })
	r.on(func() {
		r.s.OnMissing(func() {})
		_ = r.s.SendOpen(map[[2]int]bool{}, func(payload json.RawMessage, fd *descriptor.FD) {
			next.on(func() {
				if err := next.s.Restore(payload, []*descriptor.FD{fd}, false); err != nil {
					r.t.Error(err)
				}
			})
		})
	})
}

// The queues that a new master opens for more slots get clients when it has taken over, and none
// before: its workers don't accept yet, and they go with it if it is withdrawn.
func TestQueuesOfAMasterOnTrial(t *testing.T) {
	for _, had := range []int{1, 2} {
		old, next := newRota(t, had), newRota(t, 4)
		addr := old.listen("127.0.0.1:0", bind.Slots, 0, had-1)
		old.moves(next)
		for holder := range 5 {
			next.stopped[holder] = true
		}
		next.listen("127.0.0.1:0", bind.Slots, 0, 3)
		old.dial(addr, 50)
		old.await(50)
		old.on(func() { old.s.steer(old.s.byID[1]) }) // as when it no longer prefers some
		old.dial(addr, 50)
		old.await(100)
		next.on(func() {
			next.s.OwnFiles()
			next.mu.Lock()
			defer next.mu.Unlock()
			clear(next.stopped)
		})
		next.dial(addr, 200)
		next.await(200)
		for holder := 1; holder <= 4; holder++ {
			if n := next.accepted[holder]; n < 20 {
				t.Errorf("%d queues before: accepted %v of 200, want about 50 each", had, next.accepted)
			}
		}
	}
}

// The queue of a single slot keeps its clients from the moment on in which another is opened beside it.
func TestQueueOfOneSlotKeepsItsClients(t *testing.T) {
	r := newRota(t, 1)
	addr := r.listen("127.0.0.1:0", bind.Slots, 0, 0)
	all, err := bind.Options{}.OpenBeside(t.Context(), r.queues[1], false, "tcp", addr, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer descriptor.CloseAll(all)
	r.dial(addr, 50)
	r.await(50)
}
