package rotaquic

import (
	"bytes"
	"net"
	"testing"
	"testing/quick"
)

func testKeys(t testing.TB, secret byte) keys {
	t.Helper()
	k, err := newKeys(bytes.Repeat([]byte{secret}, secretLen))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// An id names its place, to who knows the secret alone, and no two ids are the same.
func TestConnectionIDs(t *testing.T) {
	k, other := testKeys(t, 1), testKeys(t, 2)
	if err := quick.Check(func(index uint8, epoch, n uint32) bool {
		p := place{index, epoch}
		id := k.encode(p, uint64(n))
		got, ok := k.decode(id[:])
		_, foreign := other.decode(id[:])
		return ok && got == p && !foreign && id != k.encode(p, uint64(n)+1) && id != k.encode(place{index, epoch + 1}, uint64(n))
	}, nil); err != nil {
		t.Error(err)
	}
	g := &generator{keys: k, place: place{7, 9}}
	seen := map[string]bool{}
	for range 1000 {
		id, err := g.GenerateConnectionID()
		p, ok := k.decode(id.Bytes())
		if err != nil || !ok || p != g.place || seen[id.String()] || id.Len() != g.ConnectionIDLen() {
			t.Fatalf("id %v: %v, %t, %v", id, p, ok, err)
		}
		seen[id.String()] = true
	}
}

// All workers derive the same keys, each for one purpose.
func TestKeys(t *testing.T) {
	a, b := testKeys(t, 1), testKeys(t, 1)
	if a.resets != b.resets || a.token != b.token || bytes.Equal(a.resets[:], a.token[:]) || a.resets == testKeys(t, 2).resets {
		t.Error("the keys are not derived from the secret")
	}
}

// The hash of an id depends on all of its bytes and its length.
func TestHash(t *testing.T) {
	k := testKeys(t, 1)
	seen := map[uint64][]byte{}
	for size := range 41 {
		for i := range max(size, 1) {
			id := make([]byte, size)
			if size > 0 {
				id[i] = 1
			}
			h := k.hash(id)
			if seen[h] != nil {
				t.Errorf("%x and %x have one hash", id, seen[h])
			}
			seen[h] = id
		}
	}
	if testKeys(t, 2).hash([]byte("12345678")) == k.hash([]byte("12345678")) {
		t.Error("the hash doesn't depend on the secret")
	}
}

// FuzzRoute finds the worker of whatever may come from the network.
func FuzzRoute(f *testing.F) {
	k := testKeys(f, 1)
	id := k.encode(place{3, 1}, 1)
	f.Add(append([]byte{0x40}, id[:]...))
	f.Add(append([]byte{0xc0, 0, 0, 0, 1, idLen}, id[:]...))
	gone := k.encode(place{3, 0}, 1)
	f.Add(append([]byte{0x40}, gone[:]...))
	f.Add([]byte{0xc0, 0, 0, 0, 1, 200, 1})
	f.Add([]byte{0x80})
	f.Add([]byte{})
	table := newTestTable()
	table.set(member{place{2, 1}, 1, serving})
	table.set(member{place{3, 1}, 1, draining})
	f.Fuzz(func(t *testing.T, b []byte) {
		to, orphan := router{k, table, 2}.route(b)
		dst, long, ok := destination(b)
		p, mine := k.decode(dst)
		switch {
		case ok && mine && table.lives(p):
			if to != p.index {
				t.Errorf("%x goes to %d, it is %d's", b, to, p.index)
			}
		case orphan != (ok && mine && !long):
			t.Errorf("%x, long %t, is an orphan: %t", b, long, orphan)
		case to != 2:
			t.Errorf("%x, long %t, goes to %d", b, long, to)
		}
	})
}

// FuzzPassed takes apart what comes from a queue, and what it says comes back in the same bytes.
func FuzzPassed(f *testing.F) {
	for _, p := range []packet{
		{from: &net.UDPAddr{IP: net.IPv4(1, 2, 3, 4).To4(), Port: 5}, control: []byte("control"), data: []byte("data")},
		{from: &net.UDPAddr{IP: net.IPv6loopback, Port: 65535, Zone: "eth0"}, data: []byte("data")},
	} {
		f.Add(append(appendHead(nil, p), p.data...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePassed(b)
		if err != nil {
			return
		}
		if again := append(appendHead(nil, p), p.data...); !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x", b, again)
		}
	})
}
