package rotahttp

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/ratelimit"
)

const (
	tick = 100 * time.Millisecond // how often idle connections are looked at

	// lastCall is how long before the end of the grace Shutdown is called whatever is
	// still open, for the functions of RegisterOnShutdown.
	lastCall = time.Second
)

// drain sees all connections off, once the worker leaves.
func (s *server) drain() {
	<-s.shift.Disconnecting()
	s.limiter.Start(int(s.conns.n.Load()), ratelimit.Period)
	s.draining.Store(true)
	s.closeListeners()
	s.http2.leave()
	s.seeOff()
	s.shutdown()
	close(s.over)
}

// closeListeners makes srv.Serve return: then no conn is between Accept and ConnState.
func (s *server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ln := range s.listeners {
		_ = ln.Close() // most often the worker has done it
	}
}

// seeOff waits until Shutdown can do no harm: no connection of HTTP/1 is left, and
// those of HTTP/2 have had the time to learn that they open no more streams.
func (s *server) seeOff() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	grace := s.shift.IdleGrace()
	s.conns.endIdle(grace)
	for !s.seenOff() {
		select {
		case <-s.changed:
		case <-ticker.C:
			s.conns.endIdle(grace)
		case <-s.hurry:
			return
		case <-s.shift.Done():
			return
		}
	}
}

func (s *server) seenOff() bool {
	s.mu.Lock()
	serving := len(s.listeners)
	s.mu.Unlock()
	return serving == 0 && s.conns.n.Load() == 0 && s.http2.told()
}

// shutdown lets the server end what is left: HTTP/2. It runs the functions of
// RegisterOnShutdown, unless the program has.
func (s *server) shutdown() {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.shift.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = s.http.Shutdown(ctx) // fails when the grace has ended
}

// hold is the hook that keeps the worker until all is seen off.
func (s *server) hold(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		timer := time.AfterFunc(left-min(lastCall, left/2), func() { close(s.hurry) })
		defer timer.Stop()
	}
	select {
	case <-s.over:
	case <-ctx.Done():
	}
	return nil
}
