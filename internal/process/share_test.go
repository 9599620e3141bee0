package process

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name  string
		share Share
		env   string
		added string
	}{
		{"one worker", Share{Workers: 1, Processors: 8}, "ROTA_WORKERS=auto", ""},
		{"one for each processor", Share{Workers: 8, Processors: 8}, "ROTA_WORKERS=auto", "GOMAXPROCS=1"},
		{"fewer than processors", Share{Workers: 3, Processors: 8}, "ROTA_WORKERS=auto", "GOMAXPROCS=3"},
		{"more than processors", Share{Workers: 9, Processors: 8}, "ROTA_WORKERS=auto", "GOMAXPROCS=1"},
		{"a number of the operator's", Share{Workers: 8, Processors: 8}, "ROTA_WORKERS=8", ""},
		{"a number of the program's", Share{Workers: 8, Processors: 8}, "A=b", ""},
		{"set", Share{Workers: 8, Processors: 8}, "ROTA_WORKERS=auto GOMAXPROCS=5", ""},
		{"set to nothing", Share{Workers: 8, Processors: 8}, "ROTA_WORKERS=auto GOMAXPROCS=5 GOMAXPROCS=", "GOMAXPROCS=1"},
		{"memory", Share{Workers: 1, MaxMemory: 1 << 30}, "A=b", "GOMEMLIMIT=966367642"},
		{"memory, set", Share{Workers: 1, MaxMemory: 1 << 30}, "GOMEMLIMIT=off", ""},
		{"no limit of memory", Share{Workers: 1, MaxMemory: math.MaxInt64}, "A=b", ""},
		{"both", Share{Workers: 2, Processors: 2, MaxMemory: 100}, "ROTA_WORKERS=auto", "GOMAXPROCS=1 GOMEMLIMIT=90"},
	} {
		env := strings.Fields(c.env)
		all := append(slices.Clone(env), "the caller's")
		got := c.share.of(all[:len(env)])
		if added := strings.Join(got[len(env):], " "); added != c.added || all[len(env)] != "the caller's" {
			t.Errorf("%s: %q was added, want %q; the caller's array: %q", c.name, added, c.added, all)
		}
	}
}

// Workers get it, by whatever the environment is made.
func TestPrepareShares(t *testing.T) {
	image, err := Prepare(Spec{
		Share: Share{Workers: 2, Processors: 3, MaxMemory: 100},
		Env:   func() ([]string, error) { return []string{"ROTA_WORKERS=auto"}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	for _, want := range []string{"GOMAXPROCS=2", "GOMEMLIMIT=90"} {
		if !slices.Contains(image.env, want) {
			t.Errorf("no %s in %q", want, image.env)
		}
	}
}

// The number of processors is that of the start: a master uses fewer.
func TestProcessorsOfTheStart(t *testing.T) {
	if Processors() < 1 {
		t.Error(Processors())
	}
}
