package process

import (
	"os"
	"path/filepath"
	"runtime"
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

// argv[0] names the executable only if the program that runs is there.
func TestOwnPath(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"srv", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	this, _ := os.Executable()
	srv := filepath.Join(dir, "srv")
	for _, tc := range []struct{ name, argv0, path, want string }{
		{"absolute", srv, dir, srv},
		{"relative", "./srv", dir, srv},
		{"from PATH", "srv", dir, srv},
		{"from a relative PATH", "srv", ".", srv},
		{"empty", "", dir, this},
		{"login shell", "-srv", dir, this},
		{"title", "my web app", dir, this},
		{"another absolute", filepath.Join(dir, "other"), dir, this},
		{"another relative", "./other", dir, this},
		{"another from PATH", "other", dir, this},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("PATH", tc.path)
			t.Chdir(dir)
			if got := ownPath([]string{tc.argv0}, dir, func(p string) bool { return p == srv }); got != tc.want {
				t.Errorf("the executable of %q is %s, want %s", tc.argv0, got, tc.want)
			}
		})
	}
	if got := ownPath(nil, dir, func(string) bool { return true }); got != this {
		t.Errorf("without arguments the executable is %s, want %s", got, this)
	}
	if isOwnProgram(srv) || !isOwnProgram(this) {
		t.Errorf("this process runs %s: %v, %s: %v", srv, isOwnProgram(srv), this, isOwnProgram(this))
	}
}

// The number of processors is that of the start; GOMAXPROCS of the environment is for the workers, and stays as it is.
func TestProcessors(t *testing.T) {
	atStart, captured := Processors(), started
	defer func() { started = captured }()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	runtime.SetDefaultGOMAXPROCS()
	usual := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(usual + 3)
	if got := Processors(); got != atStart {
		t.Errorf("%d processors, %d at the start", got, atStart)
	}
	for set, want := range map[string]int{"": usual + 3, "no number": usual + 3, "0": usual + 3, "1": usual, "100": usual} {
		started.Processors = processors(set)
		if got := Processors(); got != want {
			t.Errorf("GOMAXPROCS=%s: %d processors, want %d", set, got, want)
		}
		if got := runtime.GOMAXPROCS(0); got != usual+3 {
			t.Errorf("GOMAXPROCS=%s: GOMAXPROCS is %d afterwards, was %d", set, got, usual+3)
		}
	}
}
