package rota_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	goTest  = regexp.MustCompile("go test (\\./[^`\n]*)")
	pattern = regexp.MustCompile(`(?:^|\s)-(run|bench)[ =](?:'([^']*)'|(\S+))`)
)

// TestCommandsInTheDocs checks that each "go test PATH -run X" in README.md and docs runs
// a test or benchmark of that package. It parses the test files and runs nothing.
func TestCommandsInTheDocs(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range goTest.FindAllStringSubmatch(string(text), -1) {
			found++
			checkCommand(t, page, m[1])
		}
	}
	if found == 0 {
		t.Error("no command was found: has the form of the docs changed?")
	}
}

// checkCommand checks the arguments of go test, of which the first is the path.
func checkCommand(t *testing.T, page, args string) {
	t.Helper()
	dir, _, _ := strings.Cut(args, " ")
	if strings.HasSuffix(dir, "...") {
		return
	}
	if names := testFuncs(t, dir, ""); len(names) == 0 {
		t.Errorf("%s: go test %s: the package has no test", page, args)
	}
	for _, m := range pattern.FindAllStringSubmatch(args, -1) {
		prefix := map[string]string{"run": "Test", "bench": "Benchmark"}[m[1]]
		if want := m[2] + m[3]; want != "^$" && !matches(t, want, testFuncs(t, dir, prefix)) {
			t.Errorf("%s: go test %s: nothing matches -%s %s", page, args, m[1], want)
		}
	}
}

// matches reports whether a name matches the first element of want, as go test splits it.
func matches(t *testing.T, want string, names []string) bool {
	t.Helper()
	first, _, _ := strings.Cut(want, "/")
	re, err := regexp.Compile(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if re.MatchString(name) {
			return true
		}
	}
	return false
}

// testFuncs returns the tests and benchmarks in the test files of dir whose names have
// the prefix.
func testFuncs(t *testing.T, dir, prefix string) (names []string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Recv == nil && f.Name.Name != "TestMain" && strings.HasPrefix(f.Name.Name, prefix) &&
				(strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Benchmark")) {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// logLine matches a log line, and its attributes if the page shows any.
var logLine = regexp.MustCompile("`(rota: [^`]+?)(?: \\w+=[^`]*)?`")

// TestLogLinesInTheDocs checks that each log line in README.md and docs is logged by
// the code, and that docs/operations.md has all lines that the code logs.
func TestLogLinesInTheDocs(t *testing.T) {
	h := load(t, ".")
	logged := map[string]bool{} // and whether docs/operations.md has it
	for _, s := range h.sources() {
		if !s.test() && !strings.HasPrefix(s.path, "internal/e2etest/") {
			findLogLines(s, logged)
		}
	}
	for _, x := range h.texts {
		for _, m := range logLine.FindAllStringSubmatch(x.body, -1) {
			if _, ok := logged[m[1]]; !ok {
				t.Errorf("%s: no code logs %q", x.path, m[1])
			} else if x.path == "docs/operations.md" {
				logged[m[1]] = true
			}
		}
	}
	for line, found := range logged {
		if !found {
			t.Errorf("docs/operations.md doesn't have the log line %q", line)
		}
	}
}

// findLogLines adds the first arguments of calls in s that are the text of a log line.
func findLogLines(s source, lines map[string]bool) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, _ := strconv.Unquote(lit.Value); strings.HasPrefix(text, "rota: ") {
				lines[text] = false
			}
		}
		return true
	})
}
