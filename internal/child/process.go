// Package child is about one worker as its master uses it: its process and link, its
// output, the health checks, and what was last published of its state. It decides nothing
// about the rota.
package child

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/wire"
)

// refuseTimeout is how long a worker whose link is closed may take to read why.
const refuseTimeout = time.Second

// Link is what a master needs of a *link.Link.
type Link interface {
	Send(wire.Frame, ...*descriptor.FD) error
	Receive() ([]link.Packet, error)
	CloseReceived()
	CloseRead() error
	CloseWrite(context.Context) error
	Close() error
}

// Process is a started worker process, or a fake in tests. The master's loop owns it, and
// closes the link. Its methods may be called on nil, before the process is started, and do
// nothing then.
type Process struct {
	Link   Link
	OS     *os.Process
	Output [2]*os.File           // of a silent worker: stdout and stderr, to read; Output closes them
	Kill   func(os.Signal) error // os.ErrProcessDone if the process has ended
	Wait   func() process.Exit   // called once, on a goroutine of its own

	inherits bool // it has asked for what the worker before it leaves
}

// Start starts a worker from an image.
func Start(image *process.Image, id link.Identity, env map[string]string) (*Process, error) {
	p, err := image.Start(id, env)
	if err != nil {
		return nil, err
	}
	return &Process{Link: p.Link, OS: p.OS, Output: p.Output, Kill: p.Signal, Wait: p.Wait}, nil
}

// Send sends a frame without descriptors. body may be nil. If the link is closed, nobody
// reads it.
func (p *Process) Send(t wire.Type, call uint32, body any) {
	if p == nil {
		return
	}
	f := wire.Frame{Type: t, Call: call}
	if body != nil {
		f.Body = wire.Body(body)
	}
	_ = p.Link.Send(f)
}

// Signal sends a signal. That the process has ended is not an error.
func (p *Process) Signal(s os.Signal) error {
	if p == nil {
		return nil
	}
	if err := p.Kill(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// PID returns the pid, or 0 if there is none.
func (p *Process) PID() int {
	if p == nil || p.OS == nil {
		return 0
	}
	return p.OS.Pid
}

// CloseLink closes the link.
func (p *Process) CloseLink() {
	if p != nil {
		_ = p.Link.Close()
	}
}

// EndLink has the link's reader read what has come, and then the end. The process has ended,
// but one that it has started may have its end of the link open.
func (p *Process) EndLink() {
	_ = p.Link.CloseRead() // fails if the link is closed
}

// Refuse closes the link of a worker that violates the protocol, when what was sent to it
// has been delivered. It blocks for at most a second.
func (p *Process) Refuse() {
	ctx, cancel := context.WithTimeout(context.Background(), refuseTimeout)
	defer cancel()
	_ = p.Link.CloseWrite(ctx) // fails if the link is closed already
	_ = p.Link.Close()
}
