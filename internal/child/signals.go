package child

import (
	"os"
	"slices"
)

// Held are the signals that wait until a worker is online: before the Go runtime of the worker has installed
// its handlers, a signal would kill it. The zero value is that of a worker that is not online.
type Held struct {
	online bool
	all    []os.Signal
}

// Send sends s, or keeps it until Online.
func (h *Held) Send(s os.Signal, send func(os.Signal) error) {
	if h.online {
		_ = send(s) // fails if it has just died
	} else if !slices.Contains(h.all, s) {
		h.all = append(h.all, s)
	}
}

// Online sends what has waited, and has the next ones sent at once.
func (h *Held) Online(send func(os.Signal) error) {
	for _, s := range h.all {
		_ = send(s) // fails if it has just died
	}
	h.online, h.all = true, nil
}
