package child

import (
	"os"
	"slices"

	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
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

// StateOf returns where a worker is in its life: online if it has said hello, and then listening if it has a socket.
func StateOf(m *reload.Member, online, listening bool) status.State {
	switch {
	case !m.Exited.IsZero():
		return status.Dead
	case !m.Unlinked.IsZero():
		return status.Disconnected
	case !m.Draining.IsZero():
		return status.Draining
	case listening:
		return status.Listening
	case online:
		return status.Online
	}
	return status.Starting
}
