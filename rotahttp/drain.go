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

	// shutdownLead is how long before the end of the grace Shutdown is called even if
	// connections are open, so that the functions of RegisterOnShutdown have time to run.
	shutdownLead = time.Second
)

// drain waits until the worker begins to drain, and then closes all connections
// gracefully. It is the goroutine that attach starts.
func (s *server) drain() {
	<-s.worker.Disconnecting()
	s.limiter.Start(int(s.http1.n.Load()), ratelimit.Period)
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

// canShutDown reports whether Serve has returned for every listener, no HTTP/1 connection
// is open, and every HTTP/2 client has had the time to act on its first GOAWAY.
func (s *server) canShutDown() bool {
	s.mu.Lock()
	serving := len(s.listeners)
	s.mu.Unlock()
	return serving == 0 && s.http1.n.Load() == 0 && s.http2.goAwaysObeyed()
}

// shutdown calls http.Server.Shutdown, unless the program has. It runs the functions of
// RegisterOnShutdown, sends every HTTP/2 client its second GOAWAY, and waits until all
// connections are closed or the grace has ended.
func (s *server) shutdown() {
	s.mu.Lock()
	isShutDown := s.isShutDown
	s.mu.Unlock()
	if isShutDown {
		return
	}
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

// awaitDrained is the worker's OnDisconnect function: the worker stays until the drain is
// complete, or ctx ends with the grace.
func (s *server) awaitDrained(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		timer := time.AfterFunc(left-min(shutdownLead, left/2), func() { close(s.graceEnding) })
		defer timer.Stop()
	}
	select {
	case <-s.drained:
	case <-ctx.Done():
	}
	return nil
}
