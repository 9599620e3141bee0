package packetconn

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/rota-go/rota/internal/sharedsocket"
)

// A process that calls shutdown(2) on a shared socket for datagrams ends it for all: answers fail,
// or nobody can send to it, and reads block without a limit. The master binds another one for the worker that asks
// next. So reads fail, as Accept does for a listener: the program ends or asks again.

// awaitShutdown ends the reads when another process has shut the socket down.
func (p *packet) awaitShutdown() {
	stop := make(chan struct{})
	go func() {
		select {
		case <-p.closed:
		case <-p.owner.Left():
		}
		close(stop)
	}()
	if sharedsocket.AwaitShutdown(p.inner, stop) {
		p.endReads()
	}
}

// endReads has the reads of the program fail, unless the worker drains and reads no more anyway.
func (p *packet) endReads() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.shut = true
	_ = p.inner.SetReadDeadline(longAgo) // fails if the program has just closed it
}

func (p *packet) isShut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shut && !p.stopped
}

func (p *packet) shutError(op string) error {
	addr := p.inner.LocalAddr()
	return &net.OpError{Op: op, Net: addr.Network(), Addr: addr, Err: fmt.Errorf("another process has shut the socket down: %w", syscall.EPIPE)}
}

// wrote looks at the error of a write, and returns it. A shared socket that was shut down for writing is
// shut down for reading too, which all processes hear of. EPIPE may also mean that the client has.
func (p *packet) wrote(err error) error {
	if p.shared && errors.Is(err, syscall.EPIPE) {
		sharedsocket.TellShutdown(p.inner)
	}
	return err
}
