package rotaquic

import (
	"testing"
	"unsafe"
)

func newTestTable() *table {
	words := make([]uint64, tableSize/8)
	return newTable(unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), tableSize))
}

// with returns a table in which the members have these states, in epoch 1 and generation 1.
func with(states ...state) *table {
	t := newTestTable()
	for i, s := range states {
		t.set(member{place{uint8(i), 1}, 1, s})
	}
	return t
}

// beside returns a table with member 0, which has socket 1, and others that have these sockets.
func beside(self state, states []state, sockets []uint64) *table {
	t := with(append([]state{self}, states...)...)
	for i, n := range append([]uint64{1}, sockets...) {
		t.sockets[i].Store(n)
	}
	return t
}

func TestMemberWord(t *testing.T) {
	for _, m := range []member{{place{255, 1<<32 - 1}, generations, leaving}, {place{0, 1}, 0, absent}, {place{7, 2}, 1, serving}, {place{7, 2}, 1, passing}} {
		if got := parseMember(m.index, m.word()); got != m {
			t.Errorf("%v becomes %v", m, got)
		}
	}
}

// A first packet stays with the worker that reads it if that serves, and the later ones of the handshake go there,
// whoever reads them.
func TestAssign(t *testing.T) {
	const now, hash = 1000, 0xabcdef0123456789
	tab := with(serving, serving, serving, draining, starting)
	if i, ok := tab.assign(hash, now, 1); i != 1 || !ok {
		t.Errorf("the first packet goes to %d, %t", i, ok)
	}
	for self := range uint8(5) {
		if i, ok := tab.assign(hash, now+handshakeTime-1, self); i != 1 || !ok {
			t.Errorf("read by %d, the second packet goes to %d, %t", self, i, ok)
		}
	}
	tab.set(member{place{1, 1}, 1, draining})
	if i, _ := tab.assign(hash, now, 0); i != 1 {
		t.Errorf("in a drain a packet of a handshake that has begun goes to %d", i)
	}
	for name, change := range map[string]func(*table) uint16{
		"its worker leaves":   func(tab *table) uint16 { tab.set(member{place{1, 1}, 1, leaving}); return now },
		"its worker is gone":  func(tab *table) uint16 { tab.set(member{place{1, 1}, 1, absent}); return now },
		"its place has other": func(tab *table) uint16 { tab.set(member{place{1, 2}, 1, serving}); return now },
		"it was long ago":     func(tab *table) uint16 { return now + handshakeTime },
	} {
		tab := with(serving, serving)
		tab.assign(hash, now, 1)
		if i, ok := tab.assign(hash, change(tab), 0); i != 0 || !ok {
			t.Errorf("%s: a packet goes to %d, %t", name, i, ok)
		}
	}
}

// A worker that doesn't serve passes first packets on, each to one that does; all choose the same. If
// none serves it keeps them.
func TestAssignWithoutServing(t *testing.T) {
	taken := map[uint8]int{}
	for n := range uint64(1000) {
		hash := mix(n)
		first, ok := with(draining, serving, serving, leaving, starting).assign(hash, 1, 0)
		second, _ := with(draining, serving, serving, leaving, starting).assign(hash, 1, 3)
		if !ok || first != second {
			t.Fatalf("%d goes to %d and %d, %t", n, first, second, ok)
		}
		taken[first]++
	}
	if len(taken) != 2 || taken[1] < 400 || taken[2] < 400 {
		t.Errorf("members got %v", taken)
	}
	if i, ok := with(draining, leaving, starting).assign(5, 1, 0); ok {
		t.Errorf("nobody serves, and %d takes it", i)
	}
}

// A packet of a connection goes to its worker while that lives, whatever it does. A later worker of the same place
// doesn't get it: if its worker is gone, it is an orphan.
func TestRoute(t *testing.T) {
	k := testKeys(t, 1)
	for _, tc := range []struct {
		id   place
		want uint8
	}{
		{place{1, 1}, 1}, // draining
		{place{2, 1}, 2}, // leaving
		{place{3, 1}, 0}, // absent
		{place{1, 2}, 0}, // never was
		{place{1, 0}, 0}, // was before
	} {
		tab := with(serving, draining, leaving, absent)
		id := k.encode(tc.id, 17)
		for _, b := range [][]byte{append([]byte{0x40}, id[:]...), append([]byte{0xe0, 0, 0, 0, 1, idLen}, id[:]...)} {
			got, orphan := router{k, tab, 0}.route(append(b, make([]byte, 50)...))
			if short := b[0] == 0x40; got != tc.want || orphan != (short && got == 0) {
				t.Errorf("an id of %v goes to %d, orphan %t, want %d", tc.id, got, orphan, tc.want)
			}
		}
	}
}

func TestReap(t *testing.T) {
	tab := with(serving, serving, draining)
	tab.reap(func(i uint8) bool { return i == 0 })
	for i, want := range []state{serving, absent, absent} {
		if m := tab.at(uint8(i)); m.state != want || m.epoch != 1 {
			t.Errorf("member %d: %v", i, m)
		}
	}
	if m := tab.join(1, 5); m != (member{place{1, 2}, 5, starting}) || tab.at(1) != m {
		t.Errorf("the next worker is %v, the table has %v", m, tab.at(1))
	}
	// a worker that joins while others look is not removed
	tab = with(serving)
	tab.reap(func(i uint8) bool { tab.join(i, 2); return false })
	if m := tab.at(0); m.state != starting {
		t.Errorf("the new worker is %v", m)
	}
}

func TestIsReplacing(t *testing.T) {
	for name, tc := range map[string]struct {
		members []member
		want    bool
	}{
		"none":              {nil, false},
		"a reload begins":   {[]member{{place{1, 1}, 2, serving}, {place{2, 1}, 1, serving}}, true},
		"others go too":     {[]member{{place{1, 1}, 2, serving}, {place{2, 1}, 1, draining}}, false},
		"a stop":            {[]member{{place{1, 1}, 1, draining}, {place{2, 1}, 1, leaving}}, false},
		"one was restarted": {[]member{{place{1, 1}, 1, serving}, {place{2, 1}, 1, serving}}, false},
		"an older is left":  {[]member{{place{1, 1}, 3, serving}, {place{2, 1}, 0, serving}}, true},
	} {
		tab := newTestTable()
		for _, m := range tc.members {
			tab.set(m)
		}
		if got := tab.isReplacing(1); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Who needs the reads of member 0, which has no connection, and has socket 1.
func TestNeedOf(t *testing.T) {
	for name, tc := range map[string]struct {
		states  []state
		sockets []uint64
		want    need
	}{
		"alone":                                    {nil, nil, nobody},
		"a stop":                                   {[]state{leaving}, []uint64{2}, lastConns},
		"a stop, in handshakes":                    {[]state{draining}, []uint64{2}, lastConns},
		"a stop, the others are done":              {[]state{passing, passing}, []uint64{2, 3}, nobody},
		"a stop, one is not done":                  {[]state{passing, leaving, passing}, []uint64{2, 3, 4}, lastConns},
		"a stop with one queue":                    {[]state{leaving, leaving}, []uint64{1, 1}, nobody},
		"a stop, an older worker reads too":        {[]state{leaving, leaving}, []uint64{2, 1}, nobody},
		"a stop, an older worker is done too":      {[]state{leaving, passing}, []uint64{2, 1}, lastConns},
		"a stop, one has died":                     {[]state{absent}, []uint64{2}, nobody},
		"a stop, one has not begun":                {[]state{starting}, []uint64{2}, nobody},
		"a stop, of which one has not heard":       {[]state{leaving, serving}, []uint64{2, 3}, servers},
		"a reload":                                 {[]state{serving, serving}, []uint64{2, 1}, nobody},
		"a reload, the successor starts":           {[]state{serving, starting}, []uint64{2, 1}, servers},
		"fewer workers":                            {[]state{serving, serving}, []uint64{2, 3}, servers},
		"fewer workers, an older one still drains": {[]state{serving, leaving}, []uint64{2, 3}, servers},
	} {
		tab := beside(passing, tc.states, tc.sockets)
		if got := tab.needOf(0); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// A worker that drains leaves its socket to one that serves and has the same.
func TestIsServed(t *testing.T) {
	for name, tc := range map[string]struct {
		states  []state
		sockets []uint64
		want    bool
	}{
		"alone":                     {nil, nil, false},
		"one queue":                 {[]state{serving}, []uint64{1}, true},
		"a reload":                  {[]state{serving, serving}, []uint64{2, 1}, true},
		"the successor has died":    {[]state{serving, absent}, []uint64{2, 1}, false},
		"the successor starts":      {[]state{serving, starting}, []uint64{2, 1}, false},
		"fewer workers":             {[]state{serving}, []uint64{2}, false},
		"a stop":                    {[]state{draining, leaving}, []uint64{1, 2}, false},
		"the successor drains, too": {[]state{draining}, []uint64{1}, false},
	} {
		tab := beside(draining, tc.states, tc.sockets)
		if got := tab.isServed(0); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestDestination(t *testing.T) {
	for name, tc := range map[string]struct {
		b        []byte
		id       string
		long, ok bool
	}{
		"empty":           {nil, "", false, false},
		"another":         {[]byte{0x3f, 1, 2, 3}, "", false, false},
		"short":           {append([]byte{0x40}, "0123456789abcdefrest"...), "0123456789abcdef", false, true},
		"too short":       {append([]byte{0x40}, "0123456789abcde"...), "", false, false},
		"long":            {append([]byte{0xc0, 0, 0, 0, 1, 8}, "01234567rest"...), "01234567", true, true},
		"long, no id":     {[]byte{0xc0, 0, 0, 0, 1, 0}, "", true, true},
		"long, cut":       {append([]byte{0xc0, 0, 0, 0, 1, 8}, "0123456"...), "", true, false},
		"another version": {append([]byte{0x80, 9, 9, 9, 9, 3}, "abc"...), "abc", true, true},
	} {
		id, long, ok := destination(tc.b)
		if string(id) != tc.id || long != tc.long || ok != tc.ok {
			t.Errorf("%s: %q, %t, %t", name, id, long, ok)
		}
	}
}
