package main

import (
	"cmp"
	"encoding/json"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
	"github.com/rota-go/rota/internal/e2etest"
)

// newMember returns a new member and its client.
func newMember(t *testing.T, name string) (*member, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "localhost:0")
	e2etest.NoError(t, err)
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	e2etest.NoError(t, err)
	server, err := ln.Accept()
	e2etest.NoError(t, err)
	t.Cleanup(func() { server.Close(); client.Close() })
	return &member{Name: name, conn: server}, client
}

// moved returns a member as the next worker gets it.
func moved(t *testing.T, m *member, gone ...*voice) *member {
	t.Helper()
	m.Gone = gone
	b, err := json.Marshal(m)
	e2etest.NoError(t, err)
	next := &member{conn: m.conn}
	e2etest.NoError(t, json.Unmarshal(b, next))
	return next
}

// hears checks that a client hears some texts next, while do runs.
func hears(t *testing.T, client net.Conn, do func(), want ...string) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	defer func() { <-done }()
	var got []string
	for range want {
		client.SetReadDeadline(time.Now().Add(e2etest.Stuck))
		b, err := wsutil.ReadServerText(client)
		e2etest.NoError(t, err)
		got = append(got, string(b))
	}
	slices.SortStableFunc(got, func(a, b string) int { return cmp.Compare(a[0], b[0]) }) // the order of members is any
	if !slices.Equal(got, want) {
		t.Errorf("it hears %q, want %q", got, want)
	}
	client.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if b, err := wsutil.ReadServerText(client); err == nil {
		t.Errorf("then it hears %q", b)
	}
}

// say has a client say something.
func say(t *testing.T, client net.Conn, text string) func() {
	return func() { e2etest.NoError(t, wsutil.WriteClientText(client, []byte(text))) }
}

// leave is room.leave up to the hand-over of the members, and returns the voices of those that have gone.
func leave(r *room) (gone []*voice) {
	r.stop(nil)
	for m := range r.members {
		m.conn.SetReadDeadline(time.Time{})
	}
	return r.forget()
}

// apart returns the third of three rooms, a member that was in the first one, and one that has spoken in the second one.
func apart(t *testing.T) (third *room, a, b *member, clientA, clientB net.Conn) {
	first, second := newRoom(), newRoom()
	a, clientA = newMember(t, "a")
	hears(t, clientA, func() { first.join(a) }, "a joins")
	leave(first)
	b, clientB = newMember(t, "b")
	hears(t, clientB, func() { second.join(b) }, "b joins")
	hears(t, clientB, say(t, clientB, "1"), "b: 1")
	leave(second)
	return newRoom(), moved(t, a), moved(t, b), clientA, clientB
}

// A member that comes to the third worker without having been in the second one hears what was said there, before what
// is said here.
func TestLateMember(t *testing.T) {
	third, a, b, clientA, clientB := apart(t)
	hears(t, clientB, func() { third.join(b) })
	hears(t, clientA, func() { third.join(a) }, "b joins", "b: 1")
	hears(t, clientA, say(t, clientB, "2"), "b: 2")
}

// So it does when it comes first.
func TestEarlyMember(t *testing.T) {
	third, a, b, clientA, clientB := apart(t)
	hears(t, clientA, func() { third.join(a) })
	hears(t, clientA, func() { third.join(b) }, "b joins", "b: 1")
	hears(t, clientA, say(t, clientB, "2"), "b: 2")
}

// It hears a member that has gone meanwhile, too; a new member doesn't.
func TestMemberThatHasGone(t *testing.T) {
	first, second, third := newRoom(), newRoom(), newRoom()
	a, clientA := newMember(t, "a")
	hears(t, clientA, func() { first.join(a) }, "a joins")
	leave(first)
	b, clientB := newMember(t, "b")
	hears(t, clientB, func() { second.join(b) }, "b joins")
	clientB.Close()
	second.readers.Wait()
	c, clientC := newMember(t, "c")
	hears(t, clientC, func() { second.join(c) }, "c joins")
	gone := leave(second)
	hears(t, clientC, func() { third.join(moved(t, c, gone...)) })
	hears(t, clientA, func() { third.join(moved(t, a)) }, "b joins", "c joins")
}

// What is older than keepFor is forgotten, and then the voice of a member that has gone.
func TestForget(t *testing.T) {
	r, now := newRoom(), time.Now()
	v := &voice{ID: "v"}
	v.add("1", now.Add(-keepFor-time.Second))
	v.add("2", now)
	if len(v.Recent) != 1 || len(v.after(0)) != 1 || len(v.after(2)) != 0 {
		t.Errorf("%+v", v)
	}
	r.voices.learn(v)
	if gone := r.forget(); len(gone) != 1 {
		t.Errorf("gone: %v", gone)
	}
	v.Recent[0].At -= keepFor.Milliseconds() + 1
	if gone := r.forget(); len(gone) != 0 || len(r.voices) != 0 {
		t.Errorf("gone: %v, known: %v", gone, r.voices)
	}
}
