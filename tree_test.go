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
	"strings"
	"testing"
)

// tree is the repository as the house tests read it, each file once.
type tree struct {
	files []source // Go, those of nested modules too
	texts []text   // Markdown and what CI runs
}

// source is a Go file.
type source struct {
	path   string // slash-separated, from the root
	text   []byte
	ast    *ast.File
	fset   *token.FileSet
	nested bool // belongs to a module with a go.mod of its own
}

// text is a file of prose.
type text struct{ path, body string }

func (s source) dir() string { return path.Dir(s.path) }
func (s source) test() bool  { return strings.HasSuffix(s.path, "_test.go") }
func (s source) main() bool  { return s.ast.Name.Name == "main" }
func (s source) line(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// library reports whether s is linked into the programs of users.
func (s source) library() bool {
	return !s.nested && !s.test() && !s.main() && !among("internal/*test listentest internal/e2etest/* e2e e2e/*", s.dir())
}

// sources returns the Go files of the library's module.
func (h tree) sources() (own []source) {
	for _, s := range h.files {
		if !s.nested {
			own = append(own, s)
		}
	}
	return own
}

// packages returns the Go files by directory.
func (h tree) packages() map[string][]source {
	m := map[string][]source{}
	for _, s := range h.files {
		m[s.dir()] = append(m[s.dir()], s)
	}
	return m
}

// load reads the repository at root, without what the go command ignores. It reads
// .ci, too.
func load(t *testing.T, root string) (h tree) {
	t.Helper()
	var modules []string
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && ignored(path.Base(p)):
			return fs.SkipDir
		case d.IsDir() && p != "." && isModule(root, p):
			modules = append(modules, p+"/")
		case d.Type().IsRegular():
			return h.add(root, p, within(modules, p))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// add reads the file p.
func (h *tree) add(root, p string, nested bool) error {
	isText := path.Ext(p) == ".md" || strings.HasPrefix(p, ".ci/")
	if !isText && path.Ext(p) != ".go" {
		return nil
	}
	body, err := os.ReadFile(filepath.Join(root, p))
	if err != nil {
		return err
	}
	if isText {
		h.texts = append(h.texts, text{p, string(body)})
		return nil
	}
	s, err := parse(p, body)
	s.nested = nested
	h.files = append(h.files, s)
	return err
}

func ignored(base string) bool {
	return base != ".ci" && strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata"
}

func isModule(root, dir string) bool {
	_, err := os.Stat(filepath.Join(root, dir, "go.mod"))
	return err == nil
}

func within(dirs []string, p string) bool {
	for _, d := range dirs {
		if strings.HasPrefix(p, d) {
			return true
		}
	}
	return false
}

// parse resolves identifiers within the file, which checkGlobals needs.
func parse(p string, body []byte) (source, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, p, body, parser.ParseComments)
	return source{path: p, text: body, ast: f, fset: fset}, err
}
