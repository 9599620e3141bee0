package rotahttp

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/ratelimit"
)

const (
	// idleCheckInterval is how often the drain looks for connections that have been idle
	// for too long.
	idleCheckInterval = 100 * time.Millisecond

	// longestGap is how long a prepared server waits for its Serve to record a connection
	// that it has accepted.
	longestGap = 5 * time.Second

	// shutdownLead is how long before the end of the grace Shutdown is called even if
	// connections are open, so that the functions of RegisterOnShutdown have time to run.
	shutdownLead = time.Second
)

// drain waits until the worker begins to drain, and then closes all connections
// gracefully. It is the goroutine that attach starts.
func (s *server) drain() {
	<-s.worker.Disconnecting()
	s.limiter.Start(int(s.http1.n.Load()), ratelimit.Period)
	s.drainBegan = time.Now()
	s.draining.Store(true)
	s.closeListeners()
	s.http2.startGoAways()
	s.awaitConns()
	s.shutdown()
	close(s.drained)
}

// closeListeners makes http.Server.Serve return. After that no connection is between
// Accept and ConnState, where it would be in no list.
func (s *server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ln := range s.listeners {
		_ = ln.Close() // fails if the worker has closed it, as it usually has
	}
}

// awaitConns returns when Shutdown can't cut a request any more (see canShutDown), or
// when the grace is about to end. Meanwhile it closes idle HTTP/1 connections.
func (s *server) awaitConns() {
	ticker := time.NewTicker(idleCheckInterval)
	defer ticker.Stop()
	grace := s.worker.IdleGrace()
	s.http1.closeIdle(grace)
	for !s.canShutDown() {
		select {
		case <-s.changed:
		case <-ticker.C:
			s.http1.closeIdle(grace)
		case <-s.graceEnding:
			return
		case <-s.worker.Done():
			return
		}
	}
}

// canShutDown reports whether every accepted connection is known, no HTTP/1 connection
// is open, and every HTTP/2 client has had the time to act on its first GOAWAY.
func (s *server) canShutDown() bool {
	return s.knowsConns() && s.http1.n.Load() == 0 && s.http2.goAwaysObeyed()
}

// knowsConns reports whether no connection is between Accept and ConnState: Serve has
// returned for every listener, or, in a prepared server, come back to Accept. A listener that
// the program doesn't accept from any more can't keep it waiting.
func (s *server) knowsConns() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners) == 0 && (!s.isPrepared || s.worker.Settled() || time.Since(s.drainBegan) > longestGap)
}

// shutdown calls http.Server.Shutdown, unless the program has. It runs the functions of
// RegisterOnShutdown, sends every HTTP/2 client its second GOAWAY, and waits until all
// connections are closed or the grace has ended.
func (s *server) shutdown() {
	if s.hasShutDown() {
		return
	}
	if s.isPrepared {
		// Shutdown makes Serve return, and with it main, but for this. It waits for Serve
		// itself, which now waits for the worker, which waits for the drain.
		s.worker.HoldAccepts()
		go s.callShutdown()
		s.awaitNoConns()
		return
	}
	s.callShutdown()
}

// callShutdown calls http.Server.Shutdown, which returns at the latest when the worker has left.
func (s *server) callShutdown() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.worker.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = s.http.Shutdown(ctx) // fails if the grace ends first
}

// awaitNoConns returns when Shutdown was called and no connection is open, or the worker has
// left.
func (s *server) awaitNoConns() {
	for !s.hasShutDown() || s.http1.n.Load() > 0 || !s.http2.none() {
		select {
		case <-s.changed:
		case <-s.worker.Done():
			return
		}
	}
}

// awaitDrained is the worker's OnDisconnect function: the worker stays until the drain is
// complete, or ctx ends with the grace.
func (s *server) awaitDrained(ctx context.Context) error {
	tick := time.NewTicker(idleCheckInterval)
	defer tick.Stop()
	var known time.Time // the end that lead is for
	var lead <-chan time.Time
	for {
		if end, ok := ctx.Deadline(); ok && !end.Equal(known) {
			left := time.Until(end)
			known, lead = end, time.After(left-min(shutdownLead, left/2))
		}
		select {
		case <-s.drained:
			return nil
		case <-ctx.Done():
			return nil
		case <-lead:
			close(s.graceEnding)
			lead, ctx = nil, withoutDeadline{ctx}
		case <-tick.C: // a stop may have made the grace shorter
		}
	}
}

// withoutDeadline is a context whose end is not looked at any more.
type withoutDeadline struct{ context.Context }

func (withoutDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }
