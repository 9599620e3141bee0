package controlserver

import (
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/status"
)

// lines has the line of the newest status, which is encoded once for all clients that it is sent to. One goroutine
// at a time uses it.
type lines struct {
	at   time.Time // Status.Time of line: no two statuses of a master are made at the same time
	line []byte
}

// of returns the line of s.
func (l *lines) of(s status.Status) []byte {
	if s.Time.IsZero() || !s.Time.Equal(l.at) {
		l.at, l.line = s.Time, control.Encode(control.Reply{Status: &s})
	}
	return l.line
}
