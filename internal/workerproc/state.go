package workerproc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/statepipe"
	"github.com/rota-go/rota/internal/wire"
)

// state is what the program leaves to the worker's successor, and has from its predecessor.
type state struct {
	writer *statepipe.Writer
	write  atomic.Pointer[func(context.Context, io.Writer) error] // nil: the program leaves nothing
	asked  atomic.Bool                                            // Inherit was called

	writing atomic.Int32 // states that are being written
}

// closeSource and busy make state a source of the drain, which waits until it is known whether the
// successor has what is being written: for statepipe.Limit at most.
func (s *state) closeSource() {}

func (s *state) busy() bool { return s.writing.Load() > 0 }

// errNoPipe is why there is nothing to read where there may be something.
var errNoPipe = errors.New("the master has no descriptor left for it")

// OnHandOverState has f called when the worker's successor asks for the state; see package worker.
func (w *Worker) OnHandOverState(f func(context.Context, io.Writer) error) { w.state.write.Store(&f) }

// giveState writes the program's state to a pipe of the worker's successor. It owns p unless it
// fails.
func (w *Worker) giveState(p link.Packet) error {
	if len(p.Files) != 1 {
		return fmt.Errorf("%w: %d with %v", wire.ErrDescriptors, len(p.Files), p.Type)
	}
	f := w.state.write.Load()
	if f == nil {
		p.Close()
		return nil
	}
	w.state.writing.Add(1)
	go func() {
		defer w.drain.notify()
		defer w.state.writing.Add(-1)
		if err := w.state.writer.Write(p.Files[0], *f); err != nil {
			w.report("WARN the state was not handed over: %v", err)
		}
	}()
	return nil
}

// Inherit returns what the worker's predecessor has left; see package worker.
func (w *Worker) Inherit(ctx context.Context) (io.ReadCloser, error) {
	if w.state.asked.Swap(true) {
		return nil, io.EOF
	}
	if !w.IsConnected() {
		return nil, w.disconnected("inherit")
	}
	ctx, cancel := context.WithTimeout(ctx, statepipe.Limit)
	defer cancel()
	r, err := w.inherit(ctx)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("inherit: worker %d: %w", w.id.ID, err)
	}
	return r, err
}

func (w *Worker) inherit(ctx context.Context) (io.ReadCloser, error) {
	p, err := w.call(ctx, "inherit", wire.Frame{Type: wire.Inherit})
	if err != nil {
		return nil, err
	}
	if len(p.Files) != 1 {
		p.Close()
		return nil, errNoPipe
	}
	return statepipe.Open(ctx, p.Files[0])
}
