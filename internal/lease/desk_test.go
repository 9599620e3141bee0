package lease

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// master is the owner of a Desk. Its loop runs in until.
type master struct {
	t      *testing.T
	calls  chan func()
	sent   []string
	tokens map[int]*descriptor.FD // by worker
	*Desk
}

func newMaster(t *testing.T) *master {
	m := &master{t: t, calls: make(chan func(), 10), tokens: map[int]*descriptor.FD{}}
	m.Desk = &Desk{
		Work: func(f func() func()) { go func() { m.calls <- f() }() },
		Send: func(worker int, f wire.Frame, files ...*descriptor.FD) {
			m.sent = append(m.sent, fmt.Sprintf("%v to %d", f.Type, worker))
			for _, fd := range files {
				m.tokens[worker] = fd
			}
		},
	}
	t.Cleanup(func() {
		m.Close()
		for _, fd := range m.tokens {
			_ = fd.Close()
		}
	})
	return m
}

func (m *master) asks(worker int) {
	f := wire.Frame{Type: wire.Lead, Call: 1, Body: wire.Body(wire.LeadBody{Name: "a"})}
	if err := m.Handle(worker, 1, f); err != nil {
		m.t.Fatal(err)
	}
}

func (m *master) yields(worker int) {
	_ = m.tokens[worker].Close()
	if err := m.Handle(worker, 1, wire.Frame{Type: wire.Yield, Call: 1}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *master) want(sent ...string) {
	m.t.Helper()
	if !slices.Equal(m.sent, sent) {
		m.t.Errorf("sent %q, want %q", m.sent, sent)
	}
}

// next runs the next call of the loop. It fails the test if there is none.
func (m *master) next() {
	m.t.Helper()
	select {
	case f := <-m.calls:
		f()
	case <-time.After(10 * time.Second):
		m.t.Fatal("the wait for the predecessor doesn't end")
	}
}

// quiet fails the test if the wait for a predecessor has ended.
func (m *master) quiet(why string) {
	m.t.Helper()
	select {
	case <-m.calls:
		m.t.Fatalf("the wait has ended, and %s", why)
	case <-time.After(10 * time.Millisecond):
	}
}

// succeed makes m follow old, as an upgrade does.
func (m *master) succeed(old *master) {
	m.Block()
	ends, err := old.Ends()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, end := range ends {
		m.Await(end)
	}
}

// A successor grants a lease when the old master has retired, and the leader has ended.
func TestSuccession(t *testing.T) {
	old, next := newMaster(t), newMaster(t)
	old.asks(1)
	old.asks(2)
	old.want("leads to 1")
	next.succeed(old)
	next.asks(7)
	old.yields(1)
	old.want("leads to 1", "leads to 2")
	next.Unblock() // it has taken over
	old.Retire()
	next.quiet("worker 2 leads")
	next.want()
	old.yields(2)
	next.next()
	next.want("leads to 7")
	old.asks(3)
	old.want("leads to 1", "leads to 2")
}

// A master that has died leaves leaders behind.
func TestDeathOfAPredecessor(t *testing.T) {
	old, next, third := newMaster(t), newMaster(t), newMaster(t)
	old.asks(1)
	next.succeed(old)
	next.Unblock()
	old.Close()
	next.quiet("worker 1 leads")
	third.succeed(next) // the wait is passed on
	third.Unblock()
	third.asks(9)
	next.Close()
	third.next()
	third.quiet("worker 1 leads")
	_ = old.tokens[1].Close()
	third.next()
	third.want("leads to 9")
}

// A worker that writes into its token doesn't end the wait.
func TestTokenIsWrittenTo(t *testing.T) {
	old, next := newMaster(t), newMaster(t)
	old.asks(1)
	next.succeed(old)
	next.Unblock()
	old.Retire()
	f, err := old.tokens[1].File("token")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, "noise"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	next.quiet("worker 1 leads")
	old.yields(1)
	next.next()
}

// The end of a master is not the end of a predecessor's leader.
func TestCloseWhileWaiting(t *testing.T) {
	old, next := newMaster(t), newMaster(t)
	old.asks(1)
	next.succeed(old)
	next.Unblock()
	next.asks(2)
	next.Close()
	next.next()
	next.want()
}

func TestDenied(t *testing.T) {
	m := newMaster(t)
	f := wire.Frame{Type: wire.Lead, Call: 1, Body: wire.Body(wire.LeadBody{Name: strings.Repeat("x", MaxName+1)})}
	if err := m.Handle(1, 1, f); err != nil {
		t.Fatal(err)
	}
	m.want("failed to 1")
	if err := m.Handle(1, 1, wire.Frame{Type: wire.Lead, Call: 1, Body: []byte("{")}); err == nil {
		t.Error("a body that is none was taken")
	}
}
