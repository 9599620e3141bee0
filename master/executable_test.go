package master

import (
	"os"
	"slices"
	"testing"
)

// What a program does to os.Args is its own business: a worker, and the next master,
// start as this process has.
func TestArgumentsOfTheStart(t *testing.T) {
	defer func(old []string) { os.Args = old }(os.Args)
	want := slices.Clone(os.Args)
	os.Args = []string{"other", "arguments"}
	var cfg Config
	if got := append([]string{cfg.name("")}, cfg.args()...); !slices.Equal(got, want) {
		t.Errorf("a worker is started with %q, want %q", got, want)
	}
	firstArgs()
	if got := os.Args; len(got) != len(want) || !slices.Equal(got[1:], want[1:]) || got[0] != started.exec {
		t.Errorf("the next master is started with %q, want %q", got, want)
	}
}
