package e2etest

import (
	"bytes"
	"strings"
	"sync"
)

// Output collects what a process and its workers write. It may be used by several
// goroutines.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends b. It never fails.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

// String returns what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Count returns how many times text was written so far.
func (o *Output) Count(text string) int { return strings.Count(o.String(), text) }

// HasLine reports whether one of the lines contains all texts.
func (o *Output) HasLine(texts ...string) bool {
	for line := range strings.Lines(o.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return true
		}
	}
	return false
}
