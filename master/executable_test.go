package master

import (
	"os"
	"slices"
	"testing"
)

// A worker is started with the arguments of the master's start, whatever the program has
// done to os.Args since.
func TestArgumentsOfTheStart(t *testing.T) {
	defer func(old []string) { os.Args = old }(os.Args)
	want := slices.Clone(os.Args)
	os.Args = []string{"other", "arguments"}
	var cfg Config
	if got := append([]string{cfg.name("")}, cfg.args()...); !slices.Equal(got, want) {
		t.Errorf("a worker is started with %q, want %q", got, want)
	}
}
