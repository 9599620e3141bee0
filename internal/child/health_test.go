package child

import (
	"errors"
	"testing"
)

// A check that is not answered before the next has failed; a late answer doesn't count.
func TestHealth(t *testing.T) {
	var h Health
	if !h.Start() || h.Start() {
		t.Error("Start is not true once")
	}
	if n, err := h.Next(); n != 1 || err != nil {
		t.Errorf("first check: %d, %v", n, err)
	}
	if n, err := h.Next(); n != 2 || !errors.Is(err, ErrNoAnswer) {
		t.Errorf("second check: %d, %v, want ErrNoAnswer", n, err)
	}
	if h.Fail() != 1 || h.Fail() != 2 {
		t.Error("failures in a row are not counted")
	}
	if _, counts := h.Answer(1, ""); counts {
		t.Error("a late answer counts")
	}
	if err, counts := h.Answer(2, ""); !counts || err != nil || h.Fail() != 1 {
		t.Errorf("an answer: %v, %v, and failures go on", err, counts)
	}
	if _, counts := h.Answer(2, ""); counts {
		t.Error("a second answer counts")
	}
	if _, err := h.Next(); err != nil {
		t.Errorf("after an answer: %v", err)
	}
	if err, counts := h.Answer(3, "no database"); !counts || err == nil || err.Error() != "no database" {
		t.Errorf("an unhealthy answer: %v, %v", err, counts)
	}
}

// What a program has asked for is decided at once, and not changed by what happens later.
func TestPublished(t *testing.T) {
	var p Published[string]
	p.Publish(Snapshot[string]{State: "online", Connected: true})
	p.Decide(Voluntary)
	p.Decide(Involuntary)
	p.Publish(Snapshot[string]{State: "dead"})
	if now := p.Now(); now.State != "dead" || now.Connected || now.Voluntary != Voluntary {
		t.Errorf("%+v", now)
	}
}

// A process that has not been started can be used, and does nothing.
func TestNilProcess(t *testing.T) {
	var p *Process
	p.Send(1, 0, nil)
	p.CloseLink()
	if err := p.Signal(nil); err != nil || p.PID() != 0 {
		t.Errorf("%v, pid %d", err, p.PID())
	}
}

// Limits are spread by the worker's id.
func TestMemoryLimitIsSpread(t *testing.T) {
	seen := map[int64]bool{}
	for id := range 100 {
		limit := MemoryLimit(1000_000, id)
		if limit < 900_000 || limit > 1000_000 {
			t.Errorf("worker %d: limit %d", id, limit)
		}
		seen[limit] = true
	}
	if len(seen) < 90 {
		t.Errorf("100 workers have %d different limits, want at least 90", len(seen))
	}
	if MemoryLimit(1<<60, 3) <= 0 {
		t.Error("the limit of a large MaxMemory overflows")
	}
}
