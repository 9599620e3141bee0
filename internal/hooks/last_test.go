package hooks

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// A function that panics, or ends its goroutine, keeps the later ones from nothing.
func TestLastGoesOn(t *testing.T) {
	var l Last
	var called []string
	l.Add(func() { called = append(called, "first"); runtime.Goexit() })
	l.Add(func() { called = append(called, "second"); panic("no") })
	l.Add(func() { called = append(called, "third") })
	l.CallAll(time.Minute, func(string, ...any) {})
	if !slices.Equal(called, []string{"first", "second", "third"}) {
		t.Error(called)
	}
}
