//go:build linux

package recovery

import (
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
)

// master is one with a socket, whose manager counts the records that it gets.
type master struct {
	Store
	t       *testing.T
	records int
	state   successor.Snapshot
}

func newMaster(t *testing.T) *master {
	m := &master{t: t, state: successor.Snapshot{Generation: 2, Workers: 1}}
	m.Sockets = sockets.New()
	t.Cleanup(m.Sockets.CloseAll)
	m.Send = func(fd *descriptor.FD, lines ...string) {
		if fd != nil {
			_ = fd.Close()
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
		if err := m.Save(State{Generation: 1, Latest: state.Generation, Workers: state.Workers, Scaled: state.Scaled, Tickets: state.Tickets, Snapshot: func() *successor.Snapshot { return &state }}); err != nil {
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
	m.Empty()
	m.wants(8, "nothing was kept")
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
