//go:build linux

package e2etest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
)

// Self returns the path of the test binary.
func Self(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs(os.Args[0])
	NoError(t, err)
	return path
}

// Command returns the command that runs a helper with rota on. The configuration is a
// struct, and env is added to the environment.
func Command(t testing.TB, helper string, config any, env ...string) *exec.Cmd {
	t.Helper()
	if known[helper] == nil {
		t.Fatalf("no helper %q is given to e2etest.Main", helper)
	}
	cmd := exec.Command(Self(t))
	cmd.Env = append(os.Environ(), "ROTA=on", HelperEnv+"="+helper, ConfigEnv+"="+encode(t, config))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// encode returns the fields of a struct that are set, as JSON. A field that can't go to
// another process fails the test.
func encode(t testing.TB, config any) string {
	t.Helper()
	fields := map[string]any{}
	v := reflect.ValueOf(config)
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Func || f.Kind() == reflect.Interface || f.Kind() == reflect.Chan:
			t.Fatalf("%s of %T can't be given to a helper", name, config)
		default:
			fields[name] = f.Interface()
		}
	}
	b, err := json.Marshal(fields)
	NoError(t, err)
	return string(b)
}

// programs are those that this process has built, by their folders.
var programs struct {
	mu    sync.Mutex
	built map[string][]byte
}

// Build builds the program in a folder, as its reader would, and returns its path. It builds
// each once, and gives each test a copy.
func Build(t testing.TB, dir string) string {
	t.Helper()
	dir, err := filepath.Abs(dir)
	NoError(t, err)
	programs.mu.Lock()
	defer programs.mu.Unlock()
	exe := filepath.Join(t.TempDir(), "program")
	if b, ok := programs.built[dir]; ok {
		writeFile(t, exe, b, 0o755)
		return exe
	}
	build(t, dir, exe)
	b, err := os.ReadFile(exe)
	NoError(t, err)
	if programs.built == nil {
		programs.built = map[string][]byte{}
	}
	programs.built[dir] = b
	return exe
}

func build(t testing.TB, dir, exe string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build the program with")
	}
	cmd := exec.Command("go", "build", "-o", exe, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build in %s: %v\n%s", dir, err, out)
	}
}

// StartProgram builds the program in the working directory and runs it with -addr and an
// address that is free, until its first worker is ready. Trials are short.
func StartProgram(t *testing.T) *Process {
	t.Helper()
	cmd := exec.Command(Build(t, "."), "-addr", FreeAddress(t))
	cmd.Env = append(os.Environ(), "ROTA_MIN_UPTIME=100ms")
	p := Run(t, cmd)
	p.WaitLog(WorkerReady, 1)
	return p
}

// Plural returns "one worker" or, for example, "2 workers".
func Plural(workers int) string {
	if workers == 1 {
		return "one worker"
	}
	return fmt.Sprint(workers, " workers")
}
