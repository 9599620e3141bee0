package served

import (
	"errors"
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
)

// What is kept counts, though the loop goes on, and also when it is kept while the loop is asked. A master that
// doesn't answer is closed.
func TestLast(t *testing.T) {
	var l Last
	drained := reload.State{}.SetDrained(true)
	if got := l.Get(func() (Now, error) { return Now{1, 2, drained}, nil }); got != (Now{1, 2, drained}) || l.IsKept() {
		t.Errorf("before: %+v", got)
	}
	if got := l.Get(func() (Now, error) { return Now{Ready: 3}, errors.New("closed") }); got.State.Phase() != reload.PhaseClosed || got.Ready != 0 {
		t.Errorf("closed: %+v", got)
	}
	l.Await() // there is nothing to wait for
	waited := time.Duration(0)
	got := l.Get(func() (Now, error) {
		l.Keep(Now{3, 4, drained}, func(d time.Duration) { waited = d })
		return Now{0, 4, drained}, nil
	})
	if l.Await(); got != (Now{3, 4, drained}) || !l.IsKept() || waited != awaitLimit {
		t.Errorf("kept: %+v, waited %v", got, waited)
	}
}
