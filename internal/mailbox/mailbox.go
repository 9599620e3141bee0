// Package mailbox passes calls to a goroutine that owns some state and handles one call at
// a time: the master's loop. The owner never blocks; what takes time runs on a goroutine of
// Work, which posts its result.
package mailbox

import (
	"context"
	"sync/atomic"
	"time"
)

// Mailbox holds the calls that wait for the owner, which gets a state of type S with each.
type Mailbox[S any] struct {
	calls   chan func(S)
	done    chan struct{} // closed by Close
	ended   chan struct{} // closed by End
	closed  error         // what calls fail with after Close
	working int           // the owner's: goroutines of Work
}

// New returns a mailbox whose calls fail with closed after Close.
func New[S any](closed error) *Mailbox[S] {
	return &Mailbox[S]{calls: make(chan func(S), 64), done: make(chan struct{}), ended: make(chan struct{}), closed: closed}
}

// Calls returns the channel that the owner takes calls from.
func (b *Mailbox[S]) Calls() <-chan func(S) { return b.calls }

// Close says that the owner answers no more calls: Post, Ask and Wait fail. It still takes the
// results of Work, and the calls of After, until End. The owner calls it, once.
func (b *Mailbox[S]) Close() { close(b.done) }

// End says that the owner takes nothing any more. The owner calls it, once, after Close.
func (b *Mailbox[S]) End() { close(b.ended) }

// Done returns a channel that is closed by Close.
func (b *Mailbox[S]) Done() <-chan struct{} { return b.done }

// Send has f called by the owner. The caller knows that the owner still takes calls.
func (b *Mailbox[S]) Send(f func(S)) { b.calls <- f }

// Functions are the methods of a Mailbox whose functions don't need the state.
type Functions struct {
	Post  func(f func()) // Send
	Work  func(f func() func())
	After func(d time.Duration, f func()) (stop func())
}

// Functions returns the methods of b.
func (b *Mailbox[S]) Functions() Functions {
	return Functions{Post: func(f func()) { b.Send(func(S) { f() }) }, Work: b.Work, After: b.After}
}

// Post has f called by the owner. It reports whether that will happen.
func (b *Mailbox[S]) Post(f func(S)) bool {
	select {
	case <-b.done:
		return false
	default:
	}
	select {
	case b.calls <- f:
		return true
	case <-b.done:
		return false
	}
}

// Ask has f called by the owner, and returns its error.
func (b *Mailbox[S]) Ask(f func(S) error) error {
	answer := make(chan error, 1)
	if !b.Post(func(s S) { answer <- f(s) }) {
		return b.closed
	}
	return b.Wait(context.Background(), answer)
}

// Wait returns a result that the owner sends, or fails at the end of ctx or after Close.
func (b *Mailbox[S]) Wait(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-b.done:
	}
	select {
	case err := <-result: // it was sent before Close
		return err
	default:
		return b.closed
	}
}

// Work runs f on another goroutine; the owner calls what f returns. Only the owner calls
// Work, and it calls End when Working returns 0.
func (b *Mailbox[S]) Work(f func() func()) {
	b.working++
	go func() {
		then := f()
		b.calls <- func(S) { b.working--; then() }
	}()
}

// Working returns how many goroutines of Work have not posted their result.
func (b *Mailbox[S]) Working() int { return b.working }

// After has the owner call f after d, unless stop was called before.
func (b *Mailbox[S]) After(d time.Duration, f func()) (stop func()) {
	var stopped atomic.Bool // also after d, while the call waits for the owner
	call := func(S) {
		if !stopped.Load() {
			f()
		}
	}
	t := time.AfterFunc(d, func() {
		select {
		case b.calls <- call:
		case <-b.ended:
		}
	})
	return func() { stopped.Store(true); t.Stop() }
}
