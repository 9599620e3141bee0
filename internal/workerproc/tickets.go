package workerproc

import (
	"sync"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// tickets are the keys of TLS session tickets that the master has sent, and the functions
// that want them.
type tickets struct {
	mu    sync.Mutex // held while the functions are called, so that the last keys stay
	keys  [][32]byte
	funcs []func([][32]byte)
}

// OnTicketKeys calls f with the keys; see package worker.
func (w *Worker) OnTicketKeys(f func(keys [][32]byte)) {
	t := &w.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	t.funcs = append(t.funcs, f)
	if len(t.keys) > 0 {
		f(t.keys)
	}
}

// ticketKeys takes the master's keys. It owns p.
func (w *Worker) ticketKeys(p link.Packet) error {
	p.Close() // the frame carries no descriptors
	var body wire.TicketsBody
	if err := p.Decode(&body); err != nil {
		return err
	}
	if len(body.Keys) == 0 {
		return nil
	}
	t := &w.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys = body.Keys
	for _, f := range t.funcs {
		f(t.keys)
	}
	return nil
}
