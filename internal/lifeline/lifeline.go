// Package lifeline tells a process when the one that keeps it has ended, for whatever reason: by
// the end of a connection to it.
package lifeline

import (
	"net"
	"sync/atomic"
)

// Watch connects to the unix socket at address, where the keeper listens, and calls gone, on a
// goroutine of its own, when the connection ends, or if it can't be made: then the keeper has ended
// already. Without an address it does nothing. After stop gone isn't called any more.
func Watch(address string, gone func()) (stop func()) {
	if address == "" {
		return func() {}
	}
	c, err := net.Dial("unix", address)
	if err != nil {
		go gone()
		return func() {}
	}
	var stopped atomic.Bool
	go func() {
		defer c.Close()
		awaitEnd(c)
		if !stopped.Load() {
			gone()
		}
	}()
	return func() {
		stopped.Store(true)
		_ = c.Close() // nothing was written to it
	}
}

// awaitEnd reads until the connection ends. The keeper writes nothing.
func awaitEnd(c net.Conn) {
	b := make([]byte, 1)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}
