package listentest

import (
	"cmp"
	"time"
)

// belief is how long something must have blocked to be taken for blocked. A slow
// machine makes the belief weaker, never wrong.
func (t *trial) belief() time.Duration {
	return cmp.Or(t.suite.belief, 10*time.Millisecond)
}

// patience is how long something that must happen may take.
func (t *trial) patience() time.Duration {
	return cmp.Or(t.suite.Patience, 10*time.Second)
}

// A call is a function that runs on a goroutine of its own, because it may block.
type call[R any] struct {
	t        *trial
	what     string
	done     chan struct{}
	value    R
	err      error
	panicked any
}

// start calls f, which what names in messages.
func start[R any](t *trial, what string, f func() (R, error)) *call[R] {
	c := &call[R]{t: t, what: what, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer func() { c.panicked = recover() }()
		c.value, c.err = f()
	}()
	return c
}

// startErr is start for a function that returns nothing but an error.
func startErr(t *trial, what string, f func() error) *call[struct{}] {
	return start(t, what, func() (struct{}, error) { return struct{}{}, f() })
}

// soon is what f returns, which must be before long.
func soon[R any](t *trial, what string, f func() (R, error)) (R, error) {
	t.Helper()
	return start(t, what, f).wait()
}

// soonErr is soon for a function that returns nothing but an error.
func soonErr(t *trial, what string, f func() error) error {
	t.Helper()
	return startErr(t, what, f).waitErr()
}

func (c *call[R]) ended(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.done:
		return true
	case <-timer.C:
		return false
	}
}

// mustBlock fails the case if the call has come back or does so at once.
func (c *call[R]) mustBlock() {
	c.t.Helper()
	if c.ended(c.t.belief()) {
		c.t.Fatalf("%s did not block: %v, %v", c.what, c.value, c.err)
	}
}

// wait fails the case if the call does not come back.
func (c *call[R]) wait() (R, error) {
	c.t.Helper()
	if !c.ended(c.t.patience()) {
		c.t.Fatalf("%s is stuck", c.what)
	}
	if c.panicked != nil {
		c.t.Fatalf("%s panicked: %v", c.what, c.panicked)
	}
	return c.value, c.err
}

func (c *call[R]) waitErr() error {
	c.t.Helper()
	_, err := c.wait()
	return err
}

// must fails the case if f fails or does not come back.
func (t *trial) must(what string, f func() error) {
	t.Helper()
	if err := soonErr(t, what, f); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
