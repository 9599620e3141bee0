package rotaquic

import (
	"sync/atomic"
	"unsafe"
)

// The shared memory has words of 8 bytes, of the machine's byte order.
//
//	1     1 when the secret is there
//	4     the secret
//	3     unused
//	256   members: epoch, 4 bytes; state, 4
//	32768 handshakes: see pack
const (
	secretAt     = 1
	membersAt    = 8
	maxMembers   = 256
	handshakesAt = membersAt + maxMembers
	handshakes   = 1 << 15
	tableSize    = 8 * (handshakesAt + handshakes)
)

// state is what a worker does.
type state uint32

// The states of a member. All but absent have a worker.
const (
	absent   state = iota
	starting       // it takes nothing yet
	serving        // it takes new connections
	draining       // it takes the packets of handshakes that have begun
	leaving        // it has connections, and no handshake
)

// handshakeTime is for how many seconds the packets of a handshake go to the worker that has got the first one.
const handshakeTime = 30

// table is what the workers know of each other, in memory that all of them have mapped.
type table struct {
	words      []atomic.Uint64
	members    []atomic.Uint64
	handshakes []atomic.Uint64
}

func newTable(memory []byte) *table {
	words := unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&memory[0])), tableSize/8)
	return &table{words: words, members: words[membersAt:handshakesAt], handshakes: words[handshakesAt:]}
}

// secret returns the memory of the secret. Its owner has locked the table.
func (t *table) secret() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&t.words[secretAt])), secretLen)
}

// prepare makes the secret with fill, unless it is there. The caller has locked the table.
func (t *table) prepare(fill func([]byte)) []byte {
	if t.words[0].Load() == 0 {
		fill(t.secret())
		t.words[0].Store(1)
	}
	return append([]byte(nil), t.secret()...)
}

func memberWord(epoch uint32, s state) uint64 { return uint64(epoch)<<32 | uint64(s) }

// member returns who has a member, and what that does.
func (t *table) member(m uint8) (place, state) {
	w := t.members[m].Load()
	return place{m, uint32(w >> 32)}, state(uint32(w))
}

// join begins the next epoch of a member, which the caller has locked.
func (t *table) join(m uint8) place {
	last, _ := t.member(m)
	p := place{m, last.epoch + 1}
	t.set(p, starting)
	return p
}

// set says what the worker does that has a place.
func (t *table) set(p place, s state) { t.members[p.member].Store(memberWord(p.epoch, s)) }

// lives reports whether a place has a worker.
func (t *table) lives(p place) bool {
	now, s := t.member(p.member)
	return now == p && s != absent
}

// reap removes the members of workers that have died: those that nobody has locked.
func (t *table) reap(locked func(uint8) bool) {
	for m := range t.members {
		w := t.members[m].Load()
		if state(uint32(w)) != absent && !locked(uint8(m)) {
			t.members[m].CompareAndSwap(w, memberWord(uint32(w>>32), absent)) // or else it has a worker again
		}
	}
}

// anyServes reports whether a worker takes new connections.
func (t *table) anyServes() bool {
	_, ok := t.choose(0)
	return ok
}

// choose returns the member that takes a new connection whose id has that hash: one that serves, the same for
// every caller.
func (t *table) choose(hash uint64) (best uint8, ok bool) {
	var highest uint64
	for m := range t.members {
		if state(uint32(t.members[m].Load())) != serving {
			continue
		}
		if v := mix(hash + uint64(m) + 1); !ok || v > highest {
			best, highest, ok = uint8(m), v, true
		}
	}
	return best, ok
}

// mix spreads the bits of v (splitmix64).
func mix(v uint64) uint64 {
	v *= 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// assign returns the member that takes the handshake of a client's id, at a time in seconds: the one that has got
// an earlier packet of it, or else self if it serves, or one that does. It is false if none serves.
func (t *table) assign(hash uint64, now uint16, self uint8) (uint8, bool) {
	w := &t.handshakes[hash%handshakes]
	for {
		old := w.Load()
		if m, ok := t.kept(old, hash, now); ok {
			return m, true
		}
		m, ok := self, t.takes(self, serving)
		if !ok {
			m, ok = t.choose(hash)
		}
		if !ok {
			return 0, false
		}
		p, _ := t.member(m)
		if w.CompareAndSwap(old, pack(hash, p, now)) {
			return m, true
		}
	}
}

// pack makes the word of a handshake: 24 bits of the hash, the member, 16 bits of the epoch, the time.
func pack(hash uint64, p place, now uint16) uint64 {
	return hash>>40<<40 | uint64(p.member)<<32 | uint64(uint16(p.epoch))<<16 | uint64(now)
}

// kept returns the member of a handshake, if w is that handshake's word, and the member can still take it.
func (t *table) kept(w, hash uint64, now uint16) (uint8, bool) {
	m := uint8(w >> 32)
	p, _ := t.member(m)
	same := w>>40 == hash>>40 && uint16(w>>16) == uint16(p.epoch) && now-uint16(w) < handshakeTime
	return m, same && w != 0 && (t.takes(m, serving) || t.takes(m, draining))
}

func (t *table) takes(m uint8, want state) bool {
	_, s := t.member(m)
	return s == want
}
