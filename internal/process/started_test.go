package process

import (
	"os"
	"slices"
	"testing"
)

// A program may change os.Args: workers, and the next master, are started as this
// process was.
func TestStartedKeepsArguments(t *testing.T) {
	defer func(old []string) { os.Args = old }(os.Args)
	want := slices.Clone(os.Args)
	os.Args = []string{"other", "arguments"}
	if got := (Spec{}).argv(""); !slices.Equal(got, want) {
		t.Errorf("a worker is started with %q, want %q", got, want)
	}
	s := Started()
	if !slices.Equal(s.Args, want) {
		t.Errorf("Started().Args is %q, want %q", s.Args, want)
	}
	s.Args[0] = "changed"
	if got := Started().Args; !slices.Equal(got, want) {
		t.Errorf("after a caller changed the result, Started().Args is %q, want %q", got, want)
	}
}
