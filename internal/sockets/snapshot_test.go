package sockets

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// The successor learns the ports that the system has chosen, also of sockets that are
// closed.
func TestPortsTravel(t *testing.T) {
	old, next := New(2), New(2)
	old.ports[Key{"tcp", ":0", false, 0}] = ":4001"
	old.ports[Key{"tcp", ":0", false, 1}] = ":4002"
	old.ports[Key{"udp", "127.0.0.1:0", true, 0}] = "127.0.0.1:4001"
	next.RestorePorts(old.Ports())
	if !maps.Equal(old.ports, next.ports) {
		t.Errorf("%v came as %v", old.ports, next.ports)
	}
}

// A port that the system has chosen after the old master told its ports comes with the socket. The new
// master prefers it too, when the socket was closed for a while.
func TestPortsTravelWithSockets(t *testing.T) {
	old, next := newScript(t), newScript(t)
	next.table.RestorePorts(old.table.Ports())
	old.open(1, ":0", 4001)
	s := payload(old.table.byKey[Key{"tcp", ":0", false, 0}].snapshot())
	if err := next.table.Restore(s, []*descriptor.FD{fakeFD()}, true); err != nil {
		t.Fatal(err)
	}
	next.table.OwnFiles()
	answers, _ := next.ask(7, ":0")
	next.table.Closed(7, answers[0].Socket.ID, next.now)
	next.elapse(Linger)
	if _, bind := next.ask(7, ":0"); bind == nil || bind.preferred != ":4001" {
		t.Errorf("%+v, want one that prefers port 4001", bind)
	}
}

// A socket has the same key in the successor.
func TestKeysTravel(t *testing.T) {
	for _, key := range []Key{{"tcp", ":0", false, 1}, {"udp", "127.0.0.1:53", true, 0}} {
		e := &entry{key: key, addr: bind.Addr(key.Network, key.Address)}
		var s snapshot
		if err := json.Unmarshal(payload(e.snapshot()), &s); err != nil || s.key() != key {
			t.Errorf("%v came as %v (%v)", key, s.key(), err)
		}
	}
}

// The JSON of the snapshots is part of the upgrade protocol: masters of different releases
// exchange it.
func TestSnapshotJSON(t *testing.T) {
	for want, v := range map[string]any{
		`{"network":"tcp","address":":0","packet":true,"index":1,"name":"[::]:4002","nameNet":"tcp","path":"/p","own":true,"device":5,"inode":6,"slot":10,"spread":true,"user":{"uid":7,"gid":8,"groups":[9]}}`: snapshot{
			"tcp", ":0", true, 1, "[::]:4002", "tcp", "/p", true, 5, 6, 10, true, &bind.User{UID: 7, GID: 8, Groups: []uint32{9}},
		},
		`{"network":"tcp","address":":80","name":"[::]:80","nameNet":"tcp"}`:      snapshot{Network: "tcp", Address: ":80", Name: "[::]:80", NameNet: "tcp"},
		`{"network":"udp","address":":0","packet":true,"index":2,"port":":4001"}`: portSnapshot{"udp", ":0", true, 2, ":4001"},
		`{"first":3,"name":"web","packet":true}`:                                  inheritedSnapshot{3, "web", true},
	} {
		if got, err := json.Marshal(v); string(got) != want || err != nil {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

// A socket comes with one descriptor, and once; other descriptors are closed.
func TestRestore(t *testing.T) {
	table := New(2)
	s := payload(snapshot{Network: "tcp", Address: ":0", Index: 1, Name: "[::]:4002", NameNet: "tcp"})
	first, second := fakeFD(), fakeFD()
	if err := table.Restore(s, []*descriptor.FD{first}, false); err != nil {
		t.Fatal(err)
	}
	if err := table.Restore(s, []*descriptor.FD{second}, false); err != nil || second.Int() >= 0 {
		t.Errorf("the second: %v, descriptor %d", err, second.Int())
	}
	e := table.byKey[Key{"tcp", ":0", false, 1}]
	if e == nil || e.fd != first || e.addr.String() != "[::]:4002" {
		t.Errorf("the table has %+v", e)
	}
	for _, files := range [][]*descriptor.FD{nil, {fakeFD(), fakeFD()}} {
		if err := table.Restore(payload(snapshot{Network: "udp", Address: ":1"}), files, false); err == nil {
			t.Errorf("%d descriptors: no error", len(files))
		}
		for _, f := range files {
			if f.Int() >= 0 {
				t.Error("a descriptor that was refused is open")
			}
		}
	}
	table.CloseAll()
	if first.Int() >= 0 {
		t.Error("CloseAll has left the first open")
	}
}
