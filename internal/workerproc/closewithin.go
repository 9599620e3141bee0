package workerproc

import (
	"net"
	"time"

	"github.com/rota-go/rota/internal/conn"
)

const (
	endTick = 10 * time.Millisecond // how often connections are ended, see endWithin

	// lastWords is how long the program has to close a connection whose reading side was shut
	// down.
	lastWords = time.Second
)

// endable is a connection that a drain ends. It is comparable.
type endable interface {
	EndReading()
	Close() error
}

// endConns ends the connections that open returns within the listener's CloseWithin, if it has
// one. It returns at once.
func (l *listener) endConns(open func() []endable) {
	if l.closeWithin > 0 {
		go endWithin(l.closeWithin, l.worker.drained, open)
	}
}

// endWithin ends the connections that open returns, evenly spread over a time, and then all that
// are left. The program reads EOF, and closes the connection when it has written what it
// wants; lastWords later it is closed. endWithin returns when the drain is over.
func endWithin(within time.Duration, drained <-chan struct{}, open func() []endable) {
	ticker := time.NewTicker(endTick)
	defer ticker.Stop()
	ended := map[endable]time.Duration{} // when, from begin
	n := len(open())
	for begin := time.Now(); ; {
		passed := time.Since(begin)
		for _, c := range open() {
			at, isEnded := ended[c]
			switch {
			case isEnded && passed-at >= lastWords:
				_ = c.Close() // the program may have
			case !isEnded && (passed >= within || len(ended) <= int(float64(n)*float64(passed)/float64(within))):
				c.EndReading()
				ended[c] = passed
			}
		}
		select {
		case <-ticker.C:
		case <-drained:
			return
		}
	}
}

// openConns returns the connections that Accept has returned and that are open.
func (l *listener) openConns() (open []endable) {
	for _, c := range l.worker.drain.openConns() {
		if c.Of(l.conns) {
			open = append(open, c)
		}
	}
	return open
}

var _ endable = (*conn.Tracked)(nil)

// readCloser is a connection of package net whose reading side can be shut down.
type readCloser interface {
	net.Conn
	CloseRead() error
}

// bareEnd makes a connection of package net endable.
type bareEnd struct{ readCloser }

func (b bareEnd) EndReading() { _ = b.CloseRead() } // the program or its client may have closed it
