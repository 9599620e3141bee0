package workerproc

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/ipc"
)

// shared is a socket of the master: what its answer says, and the descriptor, which the
// caller of ask closes.
type shared struct {
	wire.SocketBody
	fd *descriptor.FD
}

// ask asks the master for a socket, whose descriptor is the caller's. It returns when the link
// is closed or ctx ends.
func (w *Worker) ask(ctx context.Context, r bind.Request) (shared, error) {
	p, err := w.call(ctx, "listen", wire.Frame{Type: wire.Listen, Body: wire.Body(r.WithUmask(process.Umask))})
	if err != nil {
		return shared{}, err
	}
	return socketIn(p)
}

// call sends a frame to the master and returns its answer, which is the caller's. It returns when
// the link is closed or ctx ends.
func (w *Worker) call(ctx context.Context, op string, f wire.Frame) (link.Packet, error) {
	id, answer := w.calls.Open()
	f.Call = id
	err := w.link.Send(f)
	if err != nil {
		err = fmt.Errorf("%s: worker %d: %w: %w", op, w.id.ID, ipc.ErrDisconnected, err)
	} else {
		select {
		case p := <-answer:
			return p, nil
		case <-w.closed:
			err = w.disconnected(op)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if !w.calls.Cancel(id) {
		return <-answer, nil // it has come meanwhile
	}
	return link.Packet{}, err
}

// answered delivers an answer to its call. A socket whose call was cancelled is given back
// to the master. It owns p.
func (w *Worker) answered(p link.Packet) error {
	if p.Type == wire.Socket && len(p.Files) != 1 {
		return fmt.Errorf("%w: a socket frame with %d", wire.ErrDescriptors, len(p.Files))
	}
	if w.calls.Answer(p) {
		return nil
	}
	if p.Type == wire.Inherit {
		p.Close() // nobody reads it
		return nil
	}
	if s, err := socketIn(p); err == nil {
		_ = s.fd.Close()
		return w.send(wire.Closed, wire.ClosedBody{ID: s.ID})
	}
	return nil
}

// socketIn decodes an answer. It owns p; the descriptor is the caller's.
func socketIn(p link.Packet) (s shared, err error) {
	if p.Type == wire.Failed {
		defer p.Close()
		var body wire.FailedBody
		if err := p.Decode(&body); err != nil {
			return s, err
		}
		return s, neterr.Decode(body)
	}
	if err := p.Decode(&s.SocketBody); err != nil {
		p.Close()
		return s, err
	}
	s.fd = p.Files[0]
	return s, nil
}

// shareTimeout is how long the master may take to answer: one of an older version never does.
const shareTimeout = 5 * time.Second

// SharedFile returns a file that all workers of the master share, or with size 0 a queue; see package worker.
func (w *Worker) SharedFile(name string, size int64) (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), shareTimeout)
	defer cancel()
	p, err := w.call(ctx, "shared file", wire.Frame{Type: wire.Share, Body: wire.Body(wire.ShareBody{Name: name, Size: size, Queue: size == 0})})
	if err != nil {
		return nil, fmt.Errorf("shared file %q: %w", name, err)
	}
	if p.Type != wire.Shared {
		_, err := socketIn(p)
		return nil, fmt.Errorf("shared file %q: %w", name, err)
	}
	return os.NewFile(uintptr(p.Files[0].Take()), name), nil // closing a duplicate would give up the program's locks of the file
}

// Status returns what the master answers; see package worker. It is JSON. The master is asked once at
// a time: who asks meanwhile waits, and who gives up leaves the answer to nobody.
func (w *Worker) Status(ctx context.Context) ([]byte, error) {
	select {
	case w.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("status: %w", ctx.Err())
	}
	result := make(chan func() ([]byte, error), 1)
	go func() {
		defer func() { <-w.asking }()
		p, err := w.call(context.Background(), "status", wire.Frame{Type: wire.AskStatus})
		result <- func() ([]byte, error) { return p.Body, err }
		p.Close()
	}()
	return awaitAnswer(ctx, result)
}

func awaitAnswer(ctx context.Context, result <-chan func() ([]byte, error)) (body []byte, err error) {
	select {
	case answer := <-result:
		body, err = answer()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return body, nil
}

// shared delivers a file, or a status, to its call, which may have been given up. It owns p unless it
// fails.
func (w *Worker) shared(p link.Packet) error {
	if (p.Type == wire.Shared) != (len(p.Files) == 1) {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	if !w.calls.Answer(p) {
		p.Close()
	}
	return nil
}
