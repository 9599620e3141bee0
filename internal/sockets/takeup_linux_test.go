//go:build linux

package sockets

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
)

// tableOf returns a table that has the socket of a request, which holder 1 has asked for.
func tableOf(t *testing.T, network, address string) *Table {
	t.Helper()
	table := New(2)
	t.Cleanup(table.CloseAll)
	packet := strings.HasPrefix(network, "udp")
	_, b := table.Ask(Caller{1, 1}, bind.Request{Network: network, Address: address, Packet: packet}, nil)
	o, err := b.Run(t.Context(), Open)
	if err != nil {
		t.Fatal(err)
	}
	table.Bound(b, o, nil, time.Now())
	return table
}

// left is what SendOwn sends.
type left struct {
	payload json.RawMessage
	fd      *descriptor.FD
}

func leftBy(t *testing.T, table *Table) (all []left) {
	t.Helper()
	if err := table.SendOwn(func(p json.RawMessage, fd *descriptor.FD) { all = append(all, left{p, fd}) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// A table takes up what another has left, with the file of a unix socket.
func TestTakeUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for _, tc := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"udp", "127.0.0.1:0"}, {"unix", path}} {
		old, next := tableOf(t, tc.network, tc.address), New(2)
		all := leftBy(t, old)
		if len(all) != 1 {
			t.Fatalf("%v: %d sockets are left", tc, len(all))
		}
		changes := next.Changes()
		if err := next.TakeUp(all[0].payload, all[0].fd); err != nil {
			t.Errorf("%v: %v", tc, err)
			continue
		}
		if next.Changes() == changes {
			t.Errorf("%v: nothing has changed", tc)
		}
		next.RestorePorts(old.Ports())
		old.DisownFiles()
		want, got := old.byID[1], next.byID[1]
		if got.key != want.key || got.addr.String() != want.addr.String() || !got.own {
			t.Errorf("%v: %+v was taken up as %+v", tc, want, got)
		}
		if closed := next.closeAbandoned(func(*entry) bool { return true }); closed != 1 {
			t.Errorf("%v: %d sockets were closed that nobody has asked for", tc, closed)
		}
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the file of the unix socket is left: %v", err)
	}
}

// Sockets that somebody else has too are not left: their owner keeps them.
func TestOthersSocketsAreNotLeft(t *testing.T) {
	table := tableOf(t, "tcp", "127.0.0.1:0")
	table.byID[1].own = false
	if all := leftBy(t, table); len(all) != 0 {
		t.Errorf("%s is left", all[0].payload)
	}
}

// A descriptor that is not what is said of it is refused, and closed.
func TestTakeUpRefuses(t *testing.T) {
	for name, change := range map[string]func(*snapshot){
		"another address": func(s *snapshot) { s.Name = "127.0.0.1:1" },
		"another network": func(s *snapshot) { s.NameNet = "udp" },
		"another kind":    func(s *snapshot) { s.Packet = true },
		"somebody else's": func(s *snapshot) { s.Own = false },
	} {
		refuses(t, name, change, func(t *testing.T, fd *descriptor.FD) *descriptor.FD { return fd })
	}
	refuses(t, "no socket", func(*snapshot) {}, func(_ *testing.T, fd *descriptor.FD) *descriptor.FD {
		_ = fd.Close()
		return fakeFD()
	})
	refuses(t, "a connection", func(*snapshot) {}, func(t *testing.T, fd *descriptor.FD) *descriptor.FD {
		defer fd.Close()
		ln, err := fd.Listener()
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n, err := descriptor.DupOf(c)
		if err != nil {
			t.Fatal(err)
		}
		return n
	})
}

func refuses(t *testing.T, name string, change func(*snapshot), other func(*testing.T, *descriptor.FD) *descriptor.FD) {
	t.Helper()
	l := leftBy(t, tableOf(t, "tcp", "127.0.0.1:0"))[0]
	var s snapshot
	if err := json.Unmarshal(l.payload, &s); err != nil {
		t.Fatal(err)
	}
	change(&s)
	next, fd := New(2), other(t, l.fd)
	if err := next.TakeUp(payload(s), fd); err == nil || fd.Int() >= 0 || len(next.byID) > 0 {
		t.Errorf("%s: %v, descriptor %d, %d sockets", name, err, fd.Int(), len(next.byID))
	}
	next.CloseAll()
}

// Whatever is said of a socket, it is refused, or taken up as what it is.
func FuzzTakeUp(f *testing.F) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = ln.Close() })
	is := ln.Addr().String()
	f.Add(`{"network":"tcp","address":":0","name":"`+is+`","nameNet":"tcp","own":true}`, `[{"network":"tcp","address":":0","port":":1"}]`)
	f.Add(`null`, `null`)
	f.Add(`{"network":"unix","path":"/x","own":true,"user":{"uid":1}}`, `[]`)
	f.Fuzz(func(t *testing.T, said, ports string) {
		fd, err := descriptor.DupOf(ln)
		if err != nil {
			t.Fatal(err)
		}
		table := New(2)
		table.RestorePorts(json.RawMessage(ports))
		err = table.TakeUp(json.RawMessage(said), fd)
		if err != nil && (fd.Int() >= 0 || len(table.byID) > 0) {
			t.Errorf("%s: %v, and the socket is there", said, err)
		}
		for _, e := range table.byID {
			if e.addr.String() != is {
				t.Errorf("%s: the table has %s", said, e.addr)
			}
			e.file = nil // not this test's
		}
		table.Close()
	})
}
