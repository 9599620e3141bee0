package mailbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/mailbox"
)

var errClosed = errors.New("closed")

// run is an owner with a number as its state, until stop is closed and no work is left.
func run(b *mailbox.Mailbox[*int], stop <-chan struct{}) {
	n := 0
	for stopped := false; !stopped || b.Working() > 0; {
		select {
		case f := <-b.Calls():
			f(&n)
		case <-stop:
			stopped, stop = true, nil
		}
	}
	b.Close()
	b.End()
}

func TestMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := mailbox.New[*int](errClosed), make(chan struct{})
		go run(b, stop)
		b.Send(func(n *int) { *n = 5 })
		_ = b.Ask(func(n *int) error {
			b.Work(func() func() { time.Sleep(time.Hour); return func() { *n++ } })
			b.After(time.Minute, func() { *n *= 2 })
			b.After(time.Minute, func() { *n = 0 })()
			return nil
		})
		time.Sleep(2 * time.Minute)
		got := 0
		if err := b.Ask(func(n *int) error { got = *n; return errors.ErrUnsupported }); got != 10 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("the state is %d, want 10; error %v", got, err)
		}
		close(stop)
		begin := time.Now()
		<-b.Done()
		if d := time.Since(begin); d < 57*time.Minute {
			t.Errorf("the owner has ended after %v, before its work", d)
		}
		if b.Post(func(*int) {}) || !errors.Is(b.Ask(func(*int) error { return nil }), errClosed) {
			t.Error("a closed mailbox takes calls")
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mailbox.New[*int](errClosed)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Wait(ctx, make(chan error)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("at the end of the context: %v", err)
		}
		b.Close()
		result := make(chan error, 1)
		if err := b.Wait(t.Context(), result); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
		result <- errors.ErrUnsupported
		if err := b.Wait(t.Context(), result); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a result that was sent before Close is lost: %v", err)
		}
	})
}

// A call of After that waits for the owner already doesn't come after its stop.
func TestStoppedInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, got := mailbox.New[*int](errClosed), 0
		stop := b.After(time.Second, func() { got++ })
		time.Sleep(2 * time.Second)
		stop()
		(<-b.Calls())(nil)
		if got > 0 {
			t.Error("a stopped call has come")
		}
	})
}

// After Close the results of Work still come, and so do the calls of After.
func TestClosedBeforeItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, got := mailbox.New[*int](errClosed), 0
		b.Work(func() func() { time.Sleep(time.Hour); return func() { got++ } })
		b.After(time.Minute, func() { got++ })
		b.After(2*time.Hour, func() { got++ })
		b.Close()
		for b.Working() > 0 {
			(<-b.Calls())(nil)
		}
		b.End()
		if got != 2 {
			t.Errorf("%d calls, want 2", got)
		}
		time.Sleep(2 * time.Hour) // the last timer's goroutine ends
	})
}

// What has one key happens in turn; another key waits for nothing of it.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := mailbox.New[*int](errClosed), make(chan struct{})
		go run(b, stop)
		turns := &mailbox.Turns{Work: b.Work}
		var order []string
		sleep := func(d time.Duration, name string) func() func() {
			return func() func() { time.Sleep(d); return func() { order = append(order, name) } }
		}
		_ = b.Ask(func(*int) error {
			turns.Do("a", sleep(time.Hour, "first"))
			turns.Do("a", sleep(0, "second"))
			turns.Do("b", sleep(time.Second, "other"))
			if turns.Last("a") == nil || turns.Last("c") != nil {
				t.Error("Last doesn't tell what is under way")
			}
			turns.Await(time.Minute, func() { order = append(order, "limit") })
			turns.Await(2*time.Hour, func() { order = append(order, "all") })
			return nil
		})
		time.Sleep(2 * time.Hour)
		_ = b.Ask(func(*int) error {
			turns.Await(time.Hour, func() { order = append(order, "at once") })
			return nil
		})
		want := []string{"other", "limit", "first", "second", "all", "at once"}
		if !slices.Equal(order, want) && !slices.Equal(order, []string{"other", "limit", "first", "all", "second", "at once"}) {
			t.Errorf("%q, want %q", order, want)
		}
		close(stop)
		<-b.Done()
	})
}

// A nil Turns does everything at once.
func TestNoTurns(t *testing.T) {
	var turns *mailbox.Turns
	n := 0
	if done := turns.Do("a", func() func() { n++; return func() { n++ } }); done != nil || n != 2 || turns.Last("a") != nil {
		t.Errorf("%d calls", n)
	}
}
