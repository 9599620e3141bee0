package mailbox_test

import (
	"context"
	"errors"
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
