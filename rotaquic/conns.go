package rotaquic

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/quic-go/quic-go"
)

// conns are the connections of a listener.
type conns struct {
	mu         sync.Mutex
	accepted   map[*quic.Conn]bool // that are open
	handshakes int                 // connections that Accept has not returned yet
	changed    chan struct{}       // closed, and replaced, when a number changes
}

// conn is a connection from its first packet on.
type conn struct {
	quic   *quic.Conn // nil until Accept has returned it
	closed bool
}

type connKey struct{}

func newConns() *conns {
	return &conns{accepted: map[*quic.Conn]bool{}, changed: make(chan struct{})}
}

// begin is quic.Transport's ConnContext.
func (s *conns) begin(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	c := &conn{}
	s.change(func() { s.handshakes++ })
	context.AfterFunc(ctx, func() { s.change(func() { s.end(c) }) })
	return context.WithValue(ctx, connKey{}, c), nil
}

// accept records that Accept returns q.
func (s *conns) accept(q *quic.Conn) {
	c, ok := q.Context().Value(connKey{}).(*conn)
	if !ok {
		return
	}
	s.change(func() {
		if c.closed {
			return
		}
		c.quic = q
		s.handshakes--
		s.accepted[q] = true
	})
}

func (s *conns) end(c *conn) {
	c.closed = true
	if c.quic == nil {
		s.handshakes--
	}
	delete(s.accepted, c.quic)
}

func (s *conns) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// counts returns how many connections have not been accepted yet, and how many have.
func (s *conns) counts() (handshakes, accepted int, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handshakes, len(s.accepted), s.changed
}

// await returns when ok is true of the counts, or with ctx's error.
func (s *conns) await(ctx context.Context, ok func(handshakes, accepted int) bool) error {
	for {
		handshakes, accepted, changed := s.counts()
		if ok(handshakes, accepted) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// closeAll closes the connections that were accepted.
func (s *conns) closeAll() {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.accepted))
	s.mu.Unlock()
	var group sync.WaitGroup
	for _, c := range all {
		group.Go(func() { _ = c.CloseWithError(0, "") }) // it is closed either way
	}
	group.Wait()
}
