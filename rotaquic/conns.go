package rotaquic

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// conns are the connections of a listener.
type conns struct {
	mu         sync.Mutex
	accepted   map[*quic.Conn]bool // that are open
	handshakes int                 // that are under way
	last       time.Time           // when one was complete
	changed    chan struct{}       // closed, and replaced, when a number changes
}

// conn is a connection from its first packet on.
type conn struct {
	handshakes, closed bool
}

type connKey struct{}

func newConns() *conns {
	return &conns{accepted: map[*quic.Conn]bool{}, changed: make(chan struct{})}
}

// begin is quic.Transport's ConnContext.
func (s *conns) begin(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	c := &conn{handshakes: true}
	s.change(func() { s.handshakes++ })
	context.AfterFunc(ctx, func() { s.change(func() { s.complete(c); c.closed = true }) })
	return context.WithValue(ctx, connKey{}, c), nil
}

// complete says that a handshake is no longer under way.
func (s *conns) complete(c *conn) {
	if c.handshakes {
		c.handshakes = false
		s.handshakes--
		s.last = time.Now()
	}
}

// accept records that Accept returns q, whose handshake may still be under way.
func (s *conns) accept(q *quic.Conn) {
	c, ok := q.Context().Value(connKey{}).(*conn)
	if !ok {
		return
	}
	s.change(func() {
		if !c.closed {
			s.accepted[q] = true
		}
	})
	context.AfterFunc(q.Context(), func() { s.change(func() { delete(s.accepted, q) }) })
	go func() {
		select {
		case <-q.HandshakeComplete():
			s.change(func() { s.complete(c) })
		case <-q.Context().Done():
		}
	}()
}

func (s *conns) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// counts returns how many handshakes are under way, and how many connections are open that were accepted.
func (s *conns) counts() (handshakes, accepted int, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handshakes, len(s.accepted), s.changed
}

// sinceLast returns how long ago the last handshake was complete.
func (s *conns) sinceLast() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
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
