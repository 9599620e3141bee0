package master

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/internal/wire"
)

// What the ports 0 came to be is known to the next master, also where the socket is
// closed by now.
func TestPortsTravel(t *testing.T) {
	old, next := newSockets(), newSockets()
	old.ports[socketKey{"tcp", ":0", false, 0}] = ":4001"
	old.ports[socketKey{"tcp", ":0", false, 1}] = ":4002"
	old.ports[socketKey{"udp", "127.0.0.1:0", true, 0}] = "127.0.0.1:4001"
	b, err := json.Marshal(successor.Snapshot{Ports: old.portNotes()})
	if err != nil {
		t.Fatal(err)
	}
	var state successor.Snapshot
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatal(err)
	}
	next.adoptPorts(state.Ports)
	if !maps.Equal(old.ports, next.ports) {
		t.Errorf("%v came as %v", old.ports, next.ports)
	}
}

// What makes a socket that socket is the same in the next master.
func TestKeysTravel(t *testing.T) {
	for _, key := range []socketKey{{"tcp", ":0", false, 1}, {"udp", "127.0.0.1:53", true, 0}} {
		s := &socket{key: key, addr: realAddr{key.network, key.address}}
		var n socketNote
		if err := json.Unmarshal(s.note(), &n); err != nil || n.key() != key {
			t.Errorf("%v came as %v (%v)", key, n.key(), err)
		}
	}
}

// A socket comes with one descriptor, once; whatever else came is closed.
func TestAdopt(t *testing.T) {
	table := newSockets()
	n := wire.Body(socketNote{Network: "tcp", Address: ":0", Index: 1, Name: "[::]:4002", NameNet: "tcp"})
	first, second := duplicate(t), duplicate(t)
	if err := table.adopt(n, []*descriptor.FD{first}); err != nil {
		t.Fatal(err)
	}
	if err := table.adopt(n, []*descriptor.FD{second}); err != nil || second.Int() >= 0 {
		t.Errorf("the second: %v, descriptor %d", err, second.Int())
	}
	s := table.byKey[socketKey{"tcp", ":0", false, 1}]
	if s == nil || s.fd != first || s.addr.String() != "[::]:4002" {
		t.Errorf("the table has %+v", s)
	}
	for _, files := range [][]*descriptor.FD{nil, {duplicate(t), duplicate(t)}} {
		if err := table.adopt(wire.Body(socketNote{Network: "udp", Address: ":1"}), files); err == nil {
			t.Errorf("%d descriptors: no error", len(files))
		}
		for _, f := range files {
			if f.Int() >= 0 {
				t.Error("one of too many is open")
			}
		}
	}
	table.remove(s)
}

func duplicate(t *testing.T) *descriptor.FD {
	t.Helper()
	b, err := newBound(1)
	if err != nil {
		t.Fatal(err)
	}
	return b.fd
}
