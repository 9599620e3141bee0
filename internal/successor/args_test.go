package successor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rota-go/rota/internal/process"
)

// The next master is started with the arguments of this one's start, and os.Args is as the
// program has left it afterwards.
func TestArguments(t *testing.T) {
	defer func(old []string) { os.Args = old }(os.Args)
	p := process.Started()
	changed := []string{"other", "arguments"}
	os.Args = changed
	restore := setArgs(p)
	if got := os.Args; len(got) != len(p.Args) || !slices.Equal(got[1:], p.Args[1:]) || got[0] != p.Exec {
		t.Errorf("the next master is started with %q, want %q", got, p.Args)
	}
	restore()
	if &os.Args[0] != &changed[0] {
		t.Errorf("afterwards os.Args is %q, want %q", os.Args, changed)
	}
}

// os.Args isn't written where tableflip would start the right program anyway.
func TestArgumentsUntouched(t *testing.T) {
	defer func(old []string) { os.Args = old }(os.Args)
	p := process.Started()
	base := filepath.Base(p.Exec)
	t.Chdir(filepath.Dir(p.Exec))
	p.Dir, _ = os.Getwd()
	t.Setenv("PATH", p.Dir)
	for _, tc := range []struct {
		name, arg0 string
		move, want bool // the working directory has changed; os.Args is written
	}{
		{"absolute", p.Exec, true, false},
		{"relative", "./" + base, false, false},
		{"relative, moved", "./" + base, true, true},
		{"from PATH", base, true, false},
		{"not found", "no-such-program", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.move {
				t.Chdir(t.TempDir())
			}
			os.Args = []string{tc.arg0, "-x"}
			p := p
			p.Args = slices.Clone(os.Args)
			restore := setArgs(p)
			if got := os.Args[0]; (got != tc.arg0) != tc.want || tc.want && got != p.Exec {
				t.Errorf("os.Args[0] is %q", got)
			}
			restore()
			if os.Args[0] != tc.arg0 {
				t.Errorf("afterwards os.Args[0] is %q, want %q", os.Args[0], tc.arg0)
			}
		})
	}
}
