package listentest

import (
	"cmp"
	"time"
)

// blockedAfter is how long a call must not return before a case takes it for blocked.
// On a slow machine a call may pass this check by mistake, but never fails it.
func (t *trial) blockedAfter() time.Duration {
	return cmp.Or(t.suite.blockedAfter, 10*time.Millisecond)
}

// timeout is how long a call that must return may take.
func (t *trial) timeout() time.Duration {
	return cmp.Or(t.suite.Timeout, 10*time.Second)
}

// A call is a function that runs on its own goroutine, because it may block.
type call[R any] struct {
	t        *trial
	what     string
	done     chan struct{}
	value    R
	err      error
	panicked any
}

// start calls f on a new goroutine. Messages call it what.
func start[R any](t *trial, what string, f func() (R, error)) *call[R] {
	c := &call[R]{t: t, what: what, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		defer func() { c.panicked = recover() }()
		c.value, c.err = f()
	}()
	return c
}

// startErr is start for a function that only returns an error.
func startErr(t *trial, what string, f func() error) *call[struct{}] {
	return start(t, what, func() (struct{}, error) { return struct{}{}, f() })
}

// soon calls f, which must return within the timeout, and returns its results.
func soon[R any](t *trial, what string, f func() (R, error)) (R, error) {
	t.Helper()
	return start(t, what, f).wait()
}

// soonErr is soon for a function that only returns an error.
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

// mustBlock fails the case if the call has returned or returns within blockedAfter.
func (c *call[R]) mustBlock() {
	c.t.Helper()
	if c.ended(c.t.blockedAfter()) {
		c.t.Fatalf("%s did not block: %v, %v", c.what, c.value, c.err)
	}
}

// wait returns the results of the call. It fails the case if the call panics or does
// not return within the timeout.
func (c *call[R]) wait() (R, error) {
	c.t.Helper()
	if !c.ended(c.t.timeout()) {
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

// must fails the case if f returns an error or does not return within the timeout.
func (t *trial) must(what string, f func() error) {
	t.Helper()
	if err := soonErr(t, what, f); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
