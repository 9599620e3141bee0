package reloadtest

import (
	"bytes"
	"strings"
	"sync"
)

// Output is what a program and its workers have written.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write makes Output a process's standard output and error.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

// String is all of it so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Count is how often it has text so far.
func (o *Output) Count(text string) int { return strings.Count(o.String(), text) }
