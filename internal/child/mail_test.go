package child

import (
	"errors"
	"testing"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// sending is a link whose Send is a function.
type sending struct {
	Link
	send func() error
}

func (s sending) Send(wire.Frame, ...*descriptor.FD) error { return s.send() }

// A message counts while it is sent, as the worker may take it and end meanwhile, and not if that fails.
func TestMailCountsBeforeItSends(t *testing.T) {
	for _, failed := range []error{nil, errors.New("no")} {
		var b Mail
		during := 0
		err := b.Send(sending{send: func() error { during = b.Undelivered(); return failed }}, "hello", nil)
		if (err != nil) != (failed != nil) || during != 1 {
			t.Errorf("%v: %d undelivered while the message is sent, want 1", err, during)
		}
		if got := b.Undelivered(); got != 1 && failed == nil || got != 0 && failed != nil {
			t.Errorf("%v: %d undelivered afterwards", err, got)
		}
	}
}
