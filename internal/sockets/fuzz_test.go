package sockets

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/socketfile"
)

// fuzzed is a script of random steps, with what must be true after each.
type fuzzed struct {
	*script
	binds   []*Bind          // under way
	pending map[Caller]bool  // calls that are not answered
	opened  []*descriptor.FD // ever
}

func newFuzzed(t *testing.T) *fuzzed {
	return &fuzzed{script: newScript(t), pending: map[Caller]bool{}}
}

var fuzzAddresses = []string{":80", "localhost:80", ":81", ":0"}

// step does what two bytes say: the first chooses what, the second to whom.
func (f *fuzzed) step(what, whom byte) {
	holder := int(whom % 3)
	switch what % 8 {
	case 0, 1:
		f.request(holder, fuzzAddresses[whom/3%4])
	case 2:
		f.complete(int(whom), nil)
	case 3:
		f.complete(int(whom), []error{syscall.EADDRINUSE, syscall.EACCES}[whom%2])
	case 4:
		id := int(whom/3) % (f.table.last + 1)
		f.table.Closed(holder, id, f.now)
	case 5:
		f.table.Release(holder)
	case 6:
		f.elapse(time.Duration(whom) * Linger / 128)
	case 7:
		f.closeSome(whom)
	}
}

func (f *fuzzed) request(holder int, address string) {
	answers, b := f.ask(holder, address)
	f.pending[Caller{holder, f.call}] = true
	f.answered(answers, b)
}

// complete ends one of the binds under way.
func (f *fuzzed) complete(i int, err error) {
	if len(f.binds) == 0 {
		return
	}
	i %= len(f.binds)
	b := f.binds[i]
	f.binds = slices.Delete(f.binds, i, i+1)
	o := Opened{}
	if err == nil {
		o = opened(80 + len(f.opened)%2)
		f.opened = append(f.opened, o.FD)
	}
	f.answered(f.table.Bound(b, o, err, f.now))
}

// closeSome closes all sockets, or those that the holders of a set don't use.
func (f *fuzzed) closeSome(set byte) {
	if set%8 == 0 {
		f.table.CloseAll()
	} else {
		f.table.CloseUnused(func(id int) bool { return set>>id&1 == 1 })
	}
}

func (f *fuzzed) answered(answers []Answer, b *Bind) {
	for _, a := range answers {
		if !f.pending[a.Caller] {
			f.t.Fatalf("call %v is answered, and doesn't wait", a.Caller)
		}
		delete(f.pending, a.Caller)
		if a.Socket != nil && a.Socket.FD.Int() < 0 {
			f.t.Fatalf("call %v is answered with a closed socket", a.Caller)
		}
	}
	if b != nil {
		f.binds = append(f.binds, b)
	}
}

// check holds the table to its invariants.
func (f *fuzzed) check() {
	open := map[*descriptor.FD]bool{}
	waiting := 0
	for id, e := range f.table.byID {
		if f.table.byKey[e.key] != e || e.id != id {
			f.t.Fatalf("socket %d is not found by its key %v", id, e.key)
		}
		if e.fd != nil {
			open[e.fd] = true
		}
		waiting += len(e.waiting)
	}
	if waiting != len(f.pending) || len(f.table.byKey) != len(f.table.byID) {
		f.t.Fatalf("%d calls wait in the table, want %d", waiting, len(f.pending))
	}
	for i, fd := range f.opened {
		if isOpen := fd.Int() >= 0; isOpen != open[fd] {
			f.t.Fatalf("the %d. descriptor: open %v, in the table %v", i, isOpen, open[fd])
		}
	}
	f.checkHolders()
}

func (f *fuzzed) checkHolders() {
	holders := map[*entry]int{}
	for id, h := range f.table.holders {
		for _, e := range h.held {
			holders[e]++
			if f.table.byID[e.id] != e || !h.keys[e.key] || e.askers[id] != h || h.asked[e.id] != e {
				f.t.Fatalf("holder %d holds socket %d, which is closed or doesn't know it", id, e.id)
			}
		}
		if len(h.keys) != len(h.held) {
			f.t.Fatalf("holder %d has %d keys of %d sockets", id, len(h.keys), len(h.held))
		}
	}
	for _, e := range f.table.byID {
		if e.holders != holders[e] {
			f.t.Fatalf("socket %d counts %d holders, want %d", e.id, e.holders, holders[e])
		}
	}
}

// checkEnd completes what is under way. Then every call is answered, and after Close no
// descriptor is open. Holder 0 is Master.
func (f *fuzzed) checkEnd() {
	for len(f.binds) > 0 {
		f.complete(0, nil)
		f.check()
	}
	if len(f.pending) > 0 {
		f.t.Fatalf("calls are not answered: %v", f.pending)
	}
	f.table.Close()
	f.check()
	for i, fd := range f.opened {
		if fd.Int() >= 0 {
			f.t.Fatalf("the %d. descriptor is open at the end", i)
		}
	}
}

// FuzzTable runs sequences of requests, binds that succeed and fail, closes, exits of
// holders and the passing of time, in any order.
func FuzzTable(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 2, 0, 4, 3, 6, 200})
	f.Add([]byte{0, 0, 2, 0, 4, 3, 0, 3, 3, 0, 2, 0})
	f.Add([]byte{0, 9, 0, 9, 2, 0, 2, 0, 4, 3, 0, 9, 5, 0, 7, 0})
	f.Add([]byte{0, 0, 0, 0, 4, 3, 6, 255, 2, 0, 7, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) > 400 {
			return
		}
		s := newFuzzed(t)
		for ; len(steps) >= 2; steps = steps[2:] {
			s.step(steps[0], steps[1])
			s.check()
		}
		s.checkEnd()
	})
}

// FuzzPath: what Allow sees of a path is what is bound, also as another name of it.
func FuzzPath(f *testing.F) {
	for _, s := range [][2]string{{"/run", "a"}, {"", "a"}, {"/run", "../a"}, {"/run/..", "a/../../b"}, {"/", "/a/./b//c"}, {"x", "y"}, {"/run", ".."}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, dir, address string) {
		r := bind.Request{Network: "unix", Address: address, Dir: dir}
		if !bind.IsPath(r.Network, address) || !filepath.IsAbs(dir) && !filepath.IsAbs(address) {
			return
		}
		seen, path := Resolve(r).Address, socketfile.Path(r)
		if filepath.Clean(path) != filepath.Clean(seen) {
			t.Errorf("%q in %q: seen as %q, bound at %q", address, dir, seen, path)
		}
		if key := (&holder{keys: map[Key]bool{}, next: map[Key]int{}}).keyOf(r); key.Address != path {
			t.Errorf("%q in %q: the key is %q, the path %q", address, dir, key.Address, path)
		}
	})
}
