package reloadtest

import (
	"sync"
	"testing"
)

// Tally counts what clients got.
type Tally struct {
	mu       sync.Mutex
	whole    int
	failures []string
}

// UnderLoad runs loops of one, whose error is a failure, while p is reloaded so many
// times. Nothing is tried again.
func UnderLoad(p *Process, loops, reloads int, one func() error) *Tally {
	c, stop := &Tally{}, make(chan struct{})
	var group sync.WaitGroup
	for range loops {
		group.Go(func() { c.loop(stop, one) })
	}
	for range reloads {
		p.Reload()
	}
	close(stop)
	group.Wait()
	return c
}

func (c *Tally) loop(stop <-chan struct{}, one func() error) {
	for {
		select {
		case <-stop:
			return
		default:
			c.count(one())
		}
	}
}

func (c *Tally) count(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failures = append(c.failures, err.Error())
		return
	}
	c.whole++
}

// MustBeWhole fails the test for any failure, and where there was nothing to fail.
func (c *Tally) MustBeWhole(t *testing.T, what string) {
	t.Helper()
	t.Logf("%d %s, %d failed", c.whole, what, len(c.failures))
	if len(c.failures) > 0 {
		t.Errorf("failed, among others: %v", c.failures[:min(5, len(c.failures))])
	}
	if c.whole == 0 {
		t.Error("there were none at all")
	}
}
