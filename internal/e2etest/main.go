//go:build linux

package e2etest

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The variables of a helper's environment.
const (
	HelperEnv = "ROTA_E2E"        // the name of the helper that this process is
	ConfigEnv = "ROTA_E2E_CONFIG" // the master's configuration, as JSON
	FlagsEnv  = "ROTA_E2E_FLAGS"  // what a test tells its helper
)

// known are the names of this test binary's helpers. There is one binary, and one call
// of Main, in a process.
var known map[string]func()

// Main is what TestMain of a package runs, in all processes that are its test binary. In
// a process that the environment names a helper it calls setup with the configuration and
// then the helper, and returns 0 when that returns. Otherwise it runs the tests, unless a
// helper is used by no test. It returns the status to exit with.
//
// Tests that mostly wait are parallel: up to four at a time, unless the command line says
// otherwise.
func Main[C any](m *testing.M, setup func(C) error, helpers map[string]func()) int {
	known = helpers
	name, ok := os.LookupEnv(HelperEnv)
	if ok {
		return runHelper(name, setup)
	}
	if unused := unusedIn(".", helpers); len(unused) > 0 {
		fmt.Fprintf(os.Stderr, "helpers that no test names: %q\n", unused)
		return 1
	}
	_ = flag.Set("test.parallel", "4")
	return m.Run()
}

func runHelper[C any](name string, setup func(C) error) int {
	helper := known[name]
	if helper == nil {
		fmt.Fprintf(os.Stderr, "no helper %q\n", name)
		return 2
	}
	if err := configure(setup); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	helper()
	return 0
}

// configure calls setup with the configuration in the environment.
func configure[C any](setup func(C) error) error {
	var cfg C
	if s := os.Getenv(ConfigEnv); s != "" {
		if err := json.Unmarshal([]byte(s), &cfg); err != nil {
			return fmt.Errorf("%s: %w", ConfigEnv, err)
		}
	}
	return setup(cfg)
}

// unusedIn returns the helpers whose name is in the test files of a folder only once, in
// the call of Main. Where the sources are not at hand it returns none.
func unusedIn(dir string, helpers map[string]func()) (unused []string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	count := map[string]int{}
	for _, path := range files {
		countStrings(path, count)
	}
	for name := range helpers {
		if len(files) > 0 && count[name] < 2 {
			unused = append(unused, name)
		}
	}
	return unused
}

func countStrings(path string, count map[string]int) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				count[s]++
			}
		}
		return true
	})
}
