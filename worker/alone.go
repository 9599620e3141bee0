package worker

import (
	"context"
	"fmt"
	"sync"
)

// alone is the error of op in a process without a master.
func alone(op string) error {
	return fmt.Errorf("%s: %w: this process has no master", op, ErrDisconnected)
}

// leases are those of a process without a master.
var leases leaseTable

// leaseTable holds a lock for each name.
type leaseTable struct {
	mu    sync.Mutex
	locks map[string]chan struct{} // each has room for its holder
}

// lead calls f while the caller holds the lease of this name. It waits until ctx ends.
func (t *leaseTable) lead(ctx context.Context, name string, f func(context.Context) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	lock := t.lock(name)
	select {
	case lock <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-lock }()
	return f(ctx)
}

func (t *leaseTable) lock(name string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.locks == nil {
		t.locks = map[string]chan struct{}{}
	}
	if t.locks[name] == nil {
		t.locks[name] = make(chan struct{}, 1)
	}
	return t.locks[name]
}
