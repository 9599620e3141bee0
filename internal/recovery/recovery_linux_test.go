//go:build linux

package recovery

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/lease"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/status"
)

// master is one with a socket, whose manager counts the records that it gets.
type master struct {
	Store
	t       *testing.T
	records int
	names   map[string]bool // that are kept
	state   successor.Snapshot
	changes int
	counted status.Counters
}

func newMaster(t *testing.T) *master {
	m := &master{t: t, state: successor.Snapshot{Generation: 2, Workers: 1}}
	m.Sockets, m.Shared = sockets.New(1), &sharedfile.Table{}
	m.Leases = &lease.Desk{Work: func(f func() func()) { go f() }}
	t.Cleanup(m.Sockets.CloseAll)
	t.Cleanup(m.Shared.Close)
	t.Cleanup(m.Leases.Close)
	m.Send = func(fd *descriptor.FD, lines ...string) {
		if fd != nil {
			_ = fd.Close()
		}
		if m.names == nil {
			m.names = map[string]bool{}
		}
		m.names[strings.TrimPrefix(lines[1], "FDNAME=")] = true
		if lines[0] == "FDSTOREREMOVE=1" {
			delete(m.names, strings.TrimPrefix(lines[1], "FDNAME="))
		}
		if lines[0] == "FDSTORE=1" && strings.Contains(lines[1], ".record.") {
			m.records++
		}
	}
	m.Sent = func(done func()) { done() }
	return m
}

func (m *master) listen(address string) {
	m.t.Helper()
	_, b := m.Sockets.Ask(sockets.Caller{Holder: 1}, bind.Request{Network: "tcp", Address: address}, nil)
	o, err := b.Run(m.t.Context(), sockets.Open)
	if err != nil {
		m.t.Fatal(err)
	}
	m.Sockets.Bound(b, o, nil, time.Now())
}

// wants saves, and checks how many records were sent then.
func (m *master) wants(records int, after string) {
	m.t.Helper()
	for range 2 {
		state := m.state
		if err := m.Save(State{Generation: 1, Latest: state.Generation, Workers: state.Workers, Scaled: state.Scaled, Tickets: state.Tickets, Changes: m.changes, Counters: m.counted, Snapshot: func() *successor.Snapshot { return &state }}); err != nil {
			m.t.Fatal(err)
		}
	}
	if m.records != records {
		m.t.Errorf("%s: %d records, want %d", after, m.records, records)
	}
}

// A record is sent for each change of what the next master takes up, and no other.
func TestSave(t *testing.T) {
	m := newMaster(t)
	m.wants(1, "the first")
	m.listen("127.0.0.1:0")
	m.wants(2, "a socket")
	m.listen("127.0.0.1:0")
	m.wants(3, "another socket")
	m.state.LastID++
	m.wants(3, "a worker")
	m.state.Generation++
	m.wants(4, "a reload that has begun")
	m.state.Workers, m.state.Scaled = 2, true
	m.wants(5, "another number of workers")
	m.state.Tickets = append(m.state.Tickets, [32]byte{1})
	m.wants(6, "another key of tickets")
	m.Sockets.CloseAll()
	m.wants(7, "closed sockets")
	m.changes++
	m.wants(8, "a crash of a worker")
	m.counted.Accepted, m.counted.Open = 7, 1
	m.wants(9, "counters")
	m.counted.Open = 2
	m.wants(9, "open connections")
	for range 2 {
		fd, err := m.Shared.Open("numbers", 8)
		if err != nil {
			t.Fatal(err)
		}
		_ = fd.Close()
	}
	m.wants(10, "a shared file")
	m.Leases.Await(pipe(t))
	m.wants(11, "a leader of a master before this one")
	m.Empty()
	m.wants(12, "nothing was kept")
}

// The pipes of leases are kept before there is a record, as long as they matter.
func TestSaveLeases(t *testing.T) {
	m := newMaster(t)
	calls := make(chan func(), 4)
	m.Leases.Work = func(f func() func()) { go func() { calls <- f() }() }
	has := func(want int, when string) {
		t.Helper()
		m.SaveLeases()
		m.SaveLeases()
		if len(m.names) != want || m.records != 0 {
			t.Errorf("%s: %v are kept, want %d pipes", when, m.names, want)
		}
	}
	has(1, "at the start")
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	m.Leases.Await(descriptor.New(p[0]))
	has(2, "with a leader of a master before this one")
	_ = unix.Close(p[1])
	select {
	case f := <-calls:
		f()
	case <-time.After(10 * time.Second):
		t.Fatal("the end of the leader is not noticed")
	}
	has(1, "when that has ended")
	m.Empty()
	if len(m.names) != 0 {
		t.Errorf("%v are kept", m.names)
	}
	has(1, "after Empty")
}

// pipe returns the reading end of one.
func pipe(t *testing.T) *descriptor.FD {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(p[1]) })
	return descriptor.New(p[0])
}

// Without anything kept a master starts as it always does.
func TestNothingKept(t *testing.T) {
	m := newMaster(t)
	if left, err := m.TakeUp(nil); left != nil || err != nil {
		t.Errorf("%+v, %v", left, err)
	}
	if left, err := m.TakeUp(&fdstore.Kept{}); left != nil || err != nil {
		t.Errorf("%+v, %v", left, err)
	}
}
