package rota_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rules of the house. They are read off the files alone, so that they need no
// network and hold for every platform at once. docs/architecture.md draws the graph.

const module = "github.com/rota-go/rota"

// graph is who may import whom within the module; "." is the root. A package that is
// not here must not exist. Tests may import the same, the package itself, and what is
// under "tests" below.
const graph = `
	.                   : worker master internal/bind internal/control
	rotahttp            : . worker internal/pace
	master              : reload ipc internal/bind internal/control internal/gate internal/wire
	worker              : ipc internal/bind internal/control internal/gate internal/pace internal/wire internal/http1
	ipc                 : internal/control internal/wire
	reload              :
	internal/bind       : internal/control
	internal/control    : internal/wire
	internal/gate       :
	internal/pace       :
	internal/wire       :
	internal/http1      :
	internal/listentest :
	internal/reloadtest :
	e2e                 : . master worker reload ipc rotahttp
	examples/*          : . master worker reload ipc rotahttp
	examples/cluster/*  : . master worker ipc
	examples/migrate/*  : . master worker rotahttp
	tests               : internal/listentest internal/reloadtest
`

// modules are the packages of others that may be imported, by whom, and what for.
// "tests" are the tests of every package.
var modules = []struct{ path, by, reason string }{
	{"golang.org/x/sys/unix", "internal/bind internal/control master worker tests", "socketpair, SCM_RIGHTS, pidfd and socket options, which package syscall lacks or names by platform"},
	{"github.com/cloudflare/tableflip", "master", "the upgrade of the master itself"},
	{"github.com/coreos/go-systemd/v22/activation", "master", "LISTEN_FDS"},
	{"github.com/coreos/go-systemd/v22/daemon", ". master", "sd_notify"},
	{"github.com/google/go-cmp/cmp", "tests", "differences that can be read"},
	{"go.uber.org/goleak", "tests", "goroutines that nobody waits for"},
	{"golang.org/x/net/ipv4", "tests", "batch reads on a packet conn of ours, as programs do them"},
	{"golang.org/x/net/ipv6", "tests", "likewise"},
	{"golang.org/x/net/nettest", "internal/listentest tests", "the conformance of a net.Conn"},
	{"golang.org/x/net/http2", "rotahttp tests", "GOAWAY and h2c, where net/http doesn't do"},
}

// forbidden are packages of the standard library that only some may import.
var forbidden = []struct{ path, but, reason string }{
	{"net/http", "rotahttp internal/listentest e2e examples/* examples/cluster/* examples/migrate/* tests", "a server of another protocol shouldn't link it"},
	{"os/signal", ". e2e examples/* examples/cluster/* tests", "one place decides what a signal means; a library that installs handlers takes them from the program"},
	{"os/exec", "master internal/listentest internal/reloadtest e2e examples/* tests", "only a master starts processes"},
	{"testing", "internal/listentest internal/reloadtest tests", "it registers flags in every program that links it"},
	{"unsafe", "", "golang.org/x/sys has what we need"},
	{"C", "", "a static binary, and cross-compiling, are promises"},
	{"log", "examples/* examples/cluster/* examples/migrate/* e2e tests", "the master has its Logger, a worker writes one line to stderr"},
	{"log/slog", ". master e2e examples/* tests", "only a master logs"},
	{"net/rpc", "", "the link is package control's"},
	{"encoding/gob", "", "bodies are JSON, which versions can extend"},
}

// stdOnly are packages that the standard library must be enough for, and what of it:
// an empty list means all that is not forbidden. Their own files only, not their tests.
var stdOnly = []struct{ pkg, imports, reason string }{
	{"reload", "cmp errors fmt maps math slices strings time", "decisions are pure: no clock, no goroutine, no channel, no log, no system"},
	{"internal/wire", "encoding/binary encoding/json errors fmt time", "bytes in, frames out: it can be fuzzed anywhere"},
	{"internal/http1", "bytes errors io math slices strconv strings sync sync/atomic time", "bytes in, bytes out: it opens nothing and waits for nothing"},
}

// impure are names of package time that ask a clock, or wait.
var impure = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// source is a file of the module.
type source struct {
	path string // slash-separated, from the root
	text []byte
	ast  *ast.File
	fset *token.FileSet
}

func (s source) dir() string { return path.Dir(s.path) }
func (s source) test() bool  { return strings.HasSuffix(s.path, "_test.go") }
func (s source) main() bool  { return s.ast.Name.Name == "main" }
func (s source) line(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// library reports whether programs link s.
func (s source) library() bool {
	return !s.test() && !s.main() && !among("internal/*test e2e", s.dir())
}

// sources are all Go files under root, but for what the go command passes over.
func sources(t *testing.T, root string) (all []source) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		base := path.Base(p)
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata"):
			return fs.SkipDir
		case d.IsDir() && p != "." && isModule(root, p): // has dependencies of its own
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		s, err := parse(root, p)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func isModule(root, dir string) bool {
	_, err := os.Stat(filepath.Join(root, dir, "go.mod"))
	return err == nil
}

func parse(root, p string) (s source, err error) {
	s = source{path: p, fset: token.NewFileSet()}
	if s.text, err = os.ReadFile(filepath.Join(root, p)); err != nil {
		return s, err
	}
	s.ast, err = parser.ParseFile(s.fset, p, s.text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// problems is what a rule says of a file.
type problems func(s source) []string

// TestHouse applies every rule to every file.
func TestHouse(t *testing.T) {
	rules := map[string]problems{
		"imports": checkImports, "std only": checkStdOnly, "pure": checkPure, "format": checkFormat,
		"docs": checkDocs, "build": checkBuild, "ends": checkEnds,
	}
	all := sources(t, ".")
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, s := range all {
				for _, p := range rule(s) {
					t.Error(p)
				}
			}
		})
	}
	t.Run("package comments", func(t *testing.T) {
		for _, p := range uncommented(all) {
			t.Error(p)
		}
	})
	t.Run("siblings", func(t *testing.T) {
		for _, p := range lonely(all) {
			t.Error(p)
		}
	})
}

// among reports whether list, words with spaces between them, has dir, or a pattern
// for it.
func among(list, dir string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(w string) bool {
		ok, _ := path.Match(w, dir)
		return ok
	})
}

// role is what s counts as in the lists above.
func (s source) in(list string) bool {
	return among(list, s.dir()) || s.test() && among(list, "tests")
}

// edges are the lines of graph.
func edges() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(graph) {
		if from, to, ok := strings.Cut(line, ":"); ok {
			m[strings.TrimSpace(from)] = strings.TrimSpace(to)
		}
	}
	return m
}

// allowedFor are the packages of the module that dir may import.
func allowedFor(dir string) (list string, known bool) {
	for from, to := range edges() {
		if among(from, dir) {
			return to, true
		}
	}
	return "", false
}

func checkImports(s source) (bad []string) {
	allowed, known := allowedFor(s.dir())
	if !known {
		return []string{s.path + ": package " + s.dir() + " is not in the graph: say there what it may import"}
	}
	if s.test() {
		allowed += " " + s.dir() + " " + edges()["tests"]
	}
	for _, spec := range s.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if why := refused(s, p, allowed); why != "" {
			bad = append(bad, fmt.Sprintf("%s: imports %s: %s", s.line(spec), p, why))
		}
	}
	return bad
}

// refused says why s may not import p, if it may not.
func refused(s source, p, allowed string) string {
	if p == module || strings.HasPrefix(p, module+"/") {
		within := strings.TrimPrefix(strings.TrimPrefix(p, module), "/")
		if !among(allowed, path.Clean(within)) {
			return fmt.Sprintf("%s may import of this module: %s", s.dir(), allowed)
		}
		return ""
	}
	if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
		return refusedModule(s, p)
	}
	for _, f := range forbidden {
		if f.path == p && !s.in(f.but) {
			return f.reason
		}
	}
	return ""
}

func refusedModule(s source, p string) string {
	for _, m := range modules {
		if m.path == p {
			if s.in(m.by) {
				return ""
			}
			return "only for " + m.by + ": " + m.reason
		}
	}
	return "a new dependency needs a line in this test, and a reason in docs/decisions"
}

func checkStdOnly(s source) (bad []string) {
	for _, rule := range stdOnly {
		if s.dir() != rule.pkg || s.test() {
			continue
		}
		for _, spec := range s.ast.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			if !slices.Contains(strings.Fields(rule.imports), p) {
				bad = append(bad, fmt.Sprintf("%s: imports %s: %s", s.line(spec), p, rule.reason))
			}
		}
	}
	return bad
}

// checkPure holds package reload to its promise, beyond what it imports.
func checkPure(s source) (bad []string) {
	if s.dir() != "reload" || s.test() {
		return nil
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if what := impurity(n); what != "" {
			bad = append(bad, fmt.Sprintf("%s: %s: the decisions of reload are pure", s.line(n), what))
		}
		return true
	})
	return bad
}

func impurity(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.ChanType:
		return "a channel"
	case *ast.SendStmt:
		return "a send"
	case *ast.SelectStmt:
		return "a select"
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(impure, n.Sel.Name) {
			return "time." + n.Sel.Name
		}
	}
	return ""
}

// TestRequirements: go.mod has no module that nothing is said about.
func TestRequirements(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	required := regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+/\S+) v\S+$`).FindAllStringSubmatch(string(text), -1)
	if len(required) == 0 {
		t.Error("go.mod requires nothing: has its form changed?")
	}
	for _, m := range required {
		if !slices.ContainsFunc(modules, func(x struct{ path, by, reason string }) bool {
			return x.path == m[1] || strings.HasPrefix(x.path, m[1]+"/")
		}) {
			t.Errorf("go.mod requires %s directly, of which this test says nothing", m[1])
		}
	}
}
