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
//	256   members: epoch, 32 bits; generation, 29; state, 3
//	256   the members' sockets, by the kernel's number
//	32768 handshakes: see pack
const (
	secretAt     = 1
	membersAt    = 8
	maxMembers   = 256
	socketsAt    = membersAt + maxMembers
	handshakesAt = socketsAt + maxMembers
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
	passing        // it has no connection, and passes on the packets of others
)

// handshakeTime is for how many seconds the packets of a handshake go to the worker that has got the first one.
const handshakeTime = 30

// table is what the workers know of each other, in memory that all of them have mapped.
type table struct {
	words      []atomic.Uint64
	members    []atomic.Uint64
	sockets    []atomic.Uint64
	handshakes []atomic.Uint64
}

func newTable(memory []byte) *table {
	words := unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(&memory[0])), tableSize/8)
	return &table{
		words: words, members: words[membersAt:socketsAt], sockets: words[socketsAt:handshakesAt], handshakes: words[handshakesAt:],
	}
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

// member is a member of the table.
type member struct {
	place
	generation int // of reloads
	state      state
}

const generations = 1<<29 - 1

func (m member) word() uint64 {
	return uint64(m.epoch)<<32 | uint64(m.generation&generations)<<3 | uint64(m.state)
}

// at returns a member.
func (t *table) at(index uint8) member { return parseMember(index, t.members[index].Load()) }

func parseMember(index uint8, w uint64) member {
	return member{place{index, uint32(w >> 32)}, int(w >> 3 & generations), state(w & 7)}
}

// join begins the next epoch of a member, which the caller has locked.
func (t *table) join(index uint8, generation int) member {
	m := member{place{index, t.at(index).epoch + 1}, generation, starting}
	t.set(m)
	return m
}

// set says what a worker does, of which m is the member.
func (t *table) set(m member) { t.members[m.index].Store(m.word()) }

// lives reports whether a place has a worker.
func (t *table) lives(p place) bool {
	m := t.at(p.index)
	return m.place == p && m.state != absent
}

// reap removes the members of workers that have died: those that nobody has locked.
func (t *table) reap(locked func(index uint8) bool) {
	for i := range t.members {
		w := t.members[i].Load()
		m := parseMember(uint8(i), w)
		if m.state != absent && !locked(m.index) {
			m.state = absent
			t.members[i].CompareAndSwap(w, m.word()) // or else it has a worker again
		}
	}
}

// isReplacing reports whether a reload is under way that replaces workers of a generation: newer ones serve, and others
// of it or before it too.
func (t *table) isReplacing(generation int) bool {
	var newer, older bool
	for i := range t.members {
		m := t.at(uint8(i))
		newer = newer || m.state == serving && m.generation > generation
		older = older || m.state == serving && m.generation <= generation
	}
	return newer && older
}

// need says who gets packets through the socket of a worker that is done, and wouldn't without it.
type need int

const (
	nobody    need = iota // or another worker reads the socket too
	servers               // workers that serve, until the kernel chooses among their sockets alone
	lastConns             // the connections of workers that drain: in a stop
)

// needOf returns who needs the reads of a member that has no connection any more.
func (t *table) needOf(index uint8) (n need) {
	for i := range t.members {
		m := t.at(uint8(i))
		others := m.index != index && (m.state == serving || m.state == draining || m.state == leaving)
		switch {
		case others && t.sharesSocket(m.index, index):
			return nobody
		case others && m.state == serving:
			n = servers
		case others && n == nobody:
			n = lastConns
		}
	}
	return n
}

// isServed reports whether another worker serves that reads from the socket of a member.
func (t *table) isServed(index uint8) bool {
	for i := range t.members {
		if m := t.at(uint8(i)); m.index != index && m.state == serving && t.sharesSocket(m.index, index) {
			return true
		}
	}
	return false
}

func (t *table) sharesSocket(a, b uint8) bool { return t.sockets[a].Load() == t.sockets[b].Load() }

// choose returns the member that takes a new connection whose id has that hash: one that serves, the same for
// every caller.
func (t *table) choose(hash uint64) (best uint8, ok bool) {
	var highest uint64
	for i := range t.members {
		if t.at(uint8(i)).state != serving {
			continue
		}
		if v := mix(hash + uint64(i) + 1); !ok || v > highest {
			best, highest, ok = uint8(i), v, true
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
		if i, ok := t.kept(old, hash, now); ok {
			return i, true
		}
		i, ok := self, t.at(self).state == serving
		if !ok {
			i, ok = t.choose(hash)
		}
		if !ok {
			return 0, false
		}
		if w.CompareAndSwap(old, pack(hash, t.at(i).place, now)) {
			return i, true
		}
	}
}

// pack makes the word of a handshake: 24 bits of the hash, the member, 16 bits of the epoch, the time.
func pack(hash uint64, p place, now uint16) uint64 {
	return hash>>40<<40 | uint64(p.index)<<32 | uint64(uint16(p.epoch))<<16 | uint64(now)
}

// kept returns the member of a handshake, if w is that handshake's word, and the member can still take it.
func (t *table) kept(w, hash uint64, now uint16) (uint8, bool) {
	m := t.at(uint8(w >> 32))
	same := w != 0 && w == pack(hash, m.place, uint16(w)) && now-uint16(w) < handshakeTime
	return m.index, same && (m.state == serving || m.state == draining)
}
