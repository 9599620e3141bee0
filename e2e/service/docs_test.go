//go:build linux

package service

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

const page = "../../docs/service.md"

var programPattern = regexp.MustCompile("(?s)```go\nfunc (?:main|TestReload)\\([^)]*\\) \\{\n(.*?)\n\\}\n")

// The programs of the page are those that run here.
func TestProgramsOfThePage(t *testing.T) {
	b, err := os.ReadFile(page)
	e2etest.NoError(t, err)
	var shown []string
	for _, m := range programPattern.FindAllStringSubmatch(string(b), -1) {
		shown = append(shown, m[1])
	}
	run := append(bodies(t, "programs_test.go"), bodies(t, "reload_test.go")...)
	for i, p := range shown {
		if !slices.Contains(run, p) {
			t.Errorf("program %d of %s isn't one that a test runs:\n%s", i+1, page, p)
		}
	}
	for _, p := range run {
		if !slices.Contains(shown, p) {
			t.Errorf("%s doesn't have the program\n%s", page, p)
		}
	}
}

// bodies returns the text of the functions' bodies in a file.
func bodies(t *testing.T, path string) (all []string) {
	src, err := os.ReadFile(path)
	e2etest.NoError(t, err)
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, src, 0)
	e2etest.NoError(t, err)
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			text := src[set.Position(f.Body.Lbrace).Offset+1 : set.Position(f.Body.Rbrace).Offset]
			all = append(all, strings.TrimSuffix(string(bytes.TrimPrefix(text, []byte("\n"))), "\n"))
		}
	}
	return all
}
