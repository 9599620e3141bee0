package child

import (
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

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
