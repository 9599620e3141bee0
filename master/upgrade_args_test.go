package master

import (
	"os"
	"slices"
	"testing"

	"github.com/rota-go/rota/internal/process"
)

// A program may change os.Args: the next master is started as this process was.
func TestFirstArgs(t *testing.T) {
	defer func(old []string) { os.Args = old }(os.Args)
	want := slices.Clone(os.Args)
	want[0] = process.Started().Exec
	os.Args = []string{"other", "arguments"}
	firstArgs()
	if got := os.Args; !slices.Equal(got, want) {
		t.Errorf("the next master is started with %q, want %q", got, want)
	}
}
