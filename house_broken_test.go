package rota_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHouseNotices breaks each rule for files once.
func TestHouseNotices(t *testing.T) {
	for _, tt := range []struct{ name, path, text, want string }{
		{"fine", "reload/x.go", "package reload\n\nimport \"time\"\n\nfunc f(now time.Time) {}\n", ""},
		{"a goroutine", "reload/x.go", "package reload\n\nfunc f() { go f() }\n", "a go statement"},
		{"a channel", "reload/x.go", "package reload\n\nvar c chan int\n", "a channel"},
		{"a clock", "reload/x.go", "package reload\n\nimport \"time\"\n\nvar f = time.Now\n", "time.Now"},
		{"a log", "reload/x.go", "package reload\n\nimport _ \"log\"\n", "imports log"},
		{"a system", "internal/wire/x.go", "package wire\n\nimport _ \"os\"\n", "imports os"},
		{"a module", "reload/x.go", "package reload\n\nimport _ \"golang.org/x/sys/unix\"\n", "only for"},
		{"a module of tests", "master/x.go", "package master\n\nimport _ \"go.uber.org/goleak\"\n", "only for tests"},
		{"a module of tests in a test", "master/x_test.go", "package master\n\nimport _ \"go.uber.org/goleak\"\n", ""},
		{"a new module", "master/x.go", "package master\n\nimport _ \"example.com/left/pad\"\n", "docs/decisions"},
		{"worker and master", "worker/x.go", "package worker\n\nimport _ \"" + module + "/master\"\n", "worker may import"},
		{"master and worker", "master/x.go", "package master\n\nimport _ \"" + module + "/worker\"\n", "master may import"},
		{"their tests too", "master/x_test.go", "package master\n\nimport _ \"" + module + "/worker\"\n", "master may import"},
		{"an example", "worker/example_test.go", "package worker_test\n\nimport _ \"" + module + "/master\"\n", ""},
		{"the root from below", "master/x.go", "package master\n\nimport _ \"" + module + "\"\n", "master may import"},
		{"an end-to-end test inside", "e2e/x_test.go", "package e2e\n\nimport _ \"" + module + "/internal/wire\"\n", "e2e may import"},
		{"a new package", "internal/util/x.go", "package util\n", "not in the graph"},
		{"net/http", "worker/x.go", "package worker\n\nimport _ \"net/http\"\n", "another protocol"},
		{"net/http in a test", "worker/x_test.go", "package worker\n\nimport _ \"net/http\"\n", ""},
		{"signals", "master/x.go", "package master\n\nimport _ \"os/signal\"\n", "one place"},
		{"signals in the root", "x.go", "package rota\n\nimport _ \"os/signal\"\n", ""},
		{"unsafe", "internal/link/x.go", "package link\n\nimport _ \"unsafe\"\n", "x/sys"},
		{"not gofmt", "master/x.go", "package master\nvar  x int\n", "gofmt"},
		{"a function", "master/x.go", "package master\n\nfunc New() {}\n", "New has no comment"},
		{"a method", "master/x.go", "package master\n\nfunc (t *T[int]) Do() {}\n", "Do has no comment"},
		{"a method that is obvious", "master/x.go", "package master\n\nfunc (t T) String() string { return \"\" }\n", ""},
		{"a method of a type that is not exported", "master/x.go", "package master\n\nfunc (t *t) Do() {}\n", ""},
		{"a type", "master/x.go", "package master\n\ntype T int\n", "T has no comment"},
		{"a type in a group", "master/x.go", "package master\n\n// All of them.\ntype (\n\tT int\n)\n", "T has no comment"},
		{"a constant", "master/x.go", "package master\n\nconst C = 1\n", "C has no comment"},
		{"constants in a group", "master/x.go", "package master\n\n// All of them.\nconst (\n\tC = 1\n\tD = 2\n)\n", ""},
		{"no build line", "master/x_linux.go", "package master\n", "go:build"},
		{"a build line", "master/x_linux.go", "//go:build linux\n\npackage master\n", ""},
		{"a test without", "master/x_linux_test.go", "package master\n", "go:build"},
		{"panic", "master/x.go", "package master\n\nfunc f() { panic(1) }\n", "panic"},
		{"os.Exit", "master/x.go", "package master\n\nimport \"os\"\n\nvar f = os.Exit\n", "os.Exit"},
		{"log.Fatal", "master/x.go", "package master\n\nimport \"log\"\n\nfunc f() { log.Fatalf(\"\") }\n", "log.Fatalf"},
		{"a main may", "examples/x/x.go", "package main\n\nimport \"log\"\n\nfunc main() { log.Fatal() }\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			p := filepath.Join(dir, filepath.FromSlash(tt.path))
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, s := range load(t, dir).sources() {
				for _, rule := range fileRules {
					all = append(all, rule(s)...)
				}
			}
			got := strings.Join(all, "\n")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestTreeNotices breaks each rule for the repository once. An empty want means that the
// rule finds nothing.
func TestTreeNotices(t *testing.T) {
	long := "package p\n" + strings.Repeat("\n", 2500)
	steps := strings.Repeat("1. `x.go` `F` runs\n", 21)
	large := func(exceptions map[string]size) func(tree) []string {
		return func(h tree) []string { return checkSizes(h, exceptions) }
	}
	surface := func(exceptions ...string) func(tree) []string {
		return func(h tree) []string { return checkSurface(h, exceptions) }
	}
	global := func(allowed map[string]string) func(tree) []string {
		return func(h tree) []string { return checkGlobals(h, allowed) }
	}
	word := func(exempt ...string) func(tree) []string {
		return func(h tree) []string { return checkWords(h, exempt) }
	}
	walk := func(want int) func(tree) []string {
		return func(h tree) []string { return checkWalks(h, want) }
	}
	wire := "import \"" + module + "/internal/wire\"\n\n"
	page := "docs/architecture.md"
	for _, tt := range []struct {
		name  string
		rule  func(tree) []string
		files []string // path, text, path, text …
		want  string
	}{
		{"a long package", large(nil), []string{"p/x.go", long}, "p: has 2501 lines in 1 files"},
		{"an exception", large(map[string]size{"p": {2501, 20, 30}}), []string{"p/x.go", long}, ""},
		{"an exception that has grown", large(map[string]size{"p": {2400, 20, 30}}), []string{"p/x.go", long}, "has grown"},
		{"an exception no longer needed", large(map[string]size{"p": {2600, 20, 30}}), []string{"p/x.go", "package p\n"}, "delete its line"},
		{"an exception for nothing", large(map[string]size{"p": {2600, 20, 30}}), nil, "does not exist"},
		{"many files", large(nil), many("p/x%d.go", 21), "in 21 files"},
		{"many tests", large(nil), many("p/x%d_test.go", 31), "31 test files"},
		{"many tests below e2e", large(nil), many("e2e/p/x%d_test.go", 21), "21 test files"},
		{"fewer tests elsewhere", large(nil), many("p/x%d_test.go", 21), ""},

		{"a parameter", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "func F(f []wire.Frame) {}\n"}, "ipc.F has wire.Frame"},
		{"a result of a method", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "func (t *T) F() *wire.Frame { return nil }\n"}, "ipc.T.F has wire.Frame"},
		{"a field", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "type T struct{ F wire.Frame }\n"}, "ipc.T has wire.Frame"},
		{"an embedded type", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "type T struct{ *wire.Frame }\n"}, "ipc.T has wire.Frame"},
		{"a field that is not exported", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "type T struct{ f wire.Frame }\n"}, ""},
		{"a method of a type that is not exported", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "func (t t) F(wire.Frame) {}\n"}, ""},
		{"an alias", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "type T = wire.Frame\n"}, "ipc.T has wire.Frame"},
		{"a hidden alias", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "type t = wire.Frame\n", "ipc/y.go", "package ipc\n\nfunc F(t) {}\n"}, "ipc.F has t"},
		{"a renamed import", surface(), []string{"ipc/x.go", "package ipc\n\nimport w \"" + module + "/internal/wire\"\n\nvar V w.Frame\n"}, "ipc.V has w.Frame"},
		{"a typed constant", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "const C = wire.B\n", "internal/wire/x.go", "package wire\n\nconst (\n\tA Type = iota\n\tB\n)\n"}, "ipc.C has the type of wire.B"},
		{"a constant without a type", surface(), []string{"ipc/x.go", "package ipc\n\n" + wire + "const C = wire.B\n", "internal/wire/x.go", "package wire\n\nconst B = 1\n"}, ""},
		{"an exception", surface("ipc.F"), []string{"ipc/x.go", "package ipc\n\n" + wire + "func F(wire.Frame) {}\n"}, ""},
		{"an exception for nothing", surface("ipc.F"), []string{"ipc/x.go", "package ipc\n"}, "delete it from internalTypes"},

		{"a lock", global(nil), []string{"p/x.go", "package p\n\nvar mu sync.Mutex\n"}, "mu is mutable state"},
		{"the result of a function", global(nil), []string{"p/x.go", "package p\n\nvar v = New()\n"}, "v is mutable state"},
		{"an error", global(nil), []string{"p/x.go", "package p\n\nvar errP = errors.New(\"p\")\n"}, ""},
		{"an error that changes", global(nil), []string{"p/x.go", "package p\n\nvar errP = errors.New(\"p\")\n\nfunc f() { errP = nil }\n"}, "changed at p/x.go:5"},
		{"an assertion", global(nil), []string{"p/x.go", "package p\n\nvar _ I = T{}\n"}, ""},
		{"a table", global(nil), []string{"p/x.go", "package p\n\nvar v = map[string]int{\"a\": 1}\n\nfunc f() int { v := 1; v = 2; return v }\n"}, ""},
		{"a table that changes", global(nil), []string{"p/x.go", "package p\n\nvar v = map[string]int{}\n", "p/y.go", "package p\n\nfunc f() { v[\"a\"]++ }\n"}, "changed at p/y.go:3"},
		{"a table that is cleared", global(nil), []string{"p/x.go", "package p\n\nvar v = map[string]int{}\n\nfunc f() { clear(v) }\n"}, "changed at p/x.go:5"},
		{"a seam for tests", global(nil), []string{"p/x.go", "package p\n\nvar now = func() {}\n", "p/x_test.go", "package p\n\nfunc f() { now = nil }\n"}, "changed at p/x_test.go:3"},
		{"an address", global(nil), []string{"p/x.go", "package p\n\nvar v = []int{1}\n\nfunc f() *int { return &v[0] }\n"}, "changed at"},
		{"a program may", global(nil), []string{"p/x.go", "package main\n\nvar mu sync.Mutex\n"}, ""},
		{"a reason", global(map[string]string{"p.mu": "one"}), []string{"p/x.go", "package p\n\nvar mu sync.Mutex\n"}, ""},
		{"a reason for nothing", global(map[string]string{"p.mu": "one"}), []string{"p/x.go", "package p\n"}, "delete its line"},

		{"a phrase in a comment", word(), []string{"p/x.go", "package p\n\n// The how\n// manieth of them.\n"}, "p/x.go:3: \"how manieth\": write"},
		{"a phrase in a string", word(), []string{"p/x.go", "package p\n\nconst c = \"See Contract 1\"\n"}, "docs/contract.md"},
		{"a phrase in a page", word(), []string{"page.md", "One.\nIt is told\nto go.\n"}, "page.md:2: \"is told to go\""},
		{"a phrase in what CI runs", word(), []string{".ci/run", "# the seed\n"}, ".ci/run:1:"},
		{"a part of a word", word(), []string{"page.md", "The theirs of beheirs.\n"}, ""},
		{"a name", word(), []string{"p/x.go", "package p\n\nfunc makeWay() {}\n"}, "the name makeWay has \"make way\": the term is closeLingering"},
		{"a field's name", word(), []string{"p/x.go", "package p\n\ntype t struct{ isTold bool }\n"}, "the name isTold has \"told\""},
		{"a local name", word(), []string{"p/x.go", "package p\n\nfunc f() { heir := 1; _ = heir }\n"}, "the term is successor"},
		{"a longer name", word(), []string{"p/x.go", "package p\n\nvar pasteboard, silent int\n"}, ""},
		{"a name that is only used", word(), []string{"p/x.go", "package p\n\nvar v = q.Flip\n"}, ""},
		{"a pending directory", word("p/"), []string{"p/x.go", "package p\n\n// The seed.\n"}, ""},
		{"a pending file", word("p/x.go"), []string{"p/x.go", "package p\n\n// The seed.\n"}, ""},
		{"a pending directory without the words", word("p/"), []string{"p/x.go", "package p\n"}, "delete it from pending"},

		{"no walk", walk(1), []string{page, "# Rota\n"}, "has 0 sections"},
		{"a walk", walk(1), []string{page, "## Walk: one\n\n1. `p/x.go` `F` calls\n2. `p/x.go` `(*T).M`, and\n3. `p/x.go` `T.M`.\n\n## Next\n\n1. no step\n",
			"p/x.go", "package p\n\nfunc F() {}\n\nfunc (t *T) M() {}\n"}, ""},
		{"a walk of another form", walk(1), []string{page, "## Walk: one\n\n1. F calls\n"}, "must begin with"},
		{"a file that is gone", walk(1), []string{page, "## Walk: one\n\n1. `p/x.go` `F`\n"}, "p/x.go does not exist"},
		{"a function that is gone", walk(1), []string{page, "## Walk: one\n\n1. `x.go` `F`\n", "x.go", "package p\n\nfunc (t T) F() {}\n"}, "no function F"},
		{"a method of the value", walk(1), []string{page, "## Walk: one\n\n1. `x.go` `(*T).F`\n", "x.go", "package p\n\nfunc (t T) F() {}\n"}, "no function (*T).F"},
		{"a long walk", walk(1), []string{page, "## Walk: one\n\n" + steps, "x.go", "package p\n\nfunc F() {}\n"}, "has 21 steps"},
		{"an empty walk", walk(1), []string{page, "## Walk: one\n"}, "has 0 steps"},

		{"another drawing", checkGraph, []string{page, "\n## The import graph\n\n```text\n. : worker\n```\n"}, "copy that text"},
		{"a section without a drawing", checkGraph, []string{page, "\n## The import graph\n\nSee there.\n"}, "copy that text"},
		{"a line without a package", checkGraph, nil, "graph has a line for reload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(tt.rule(treeOf(t, tt.files)), "\n")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestGraphMayBeDrawn checks that the drawing may be indented otherwise than graph.
func TestGraphMayBeDrawn(t *testing.T) {
	page := "\n## The import graph\n\nText.\n\n```text\n" + dedent(graph) + "\n```\n"
	got := strings.Join(checkGraph(treeOf(t, []string{"docs/architecture.md", page})), "\n")
	if strings.Contains(got, "copy that text") {
		t.Error(got)
	}
}

// many returns n files of one package, by a pattern for their paths.
func many(pattern string, n int) (files []string) {
	for i := range n {
		files = append(files, fmt.Sprintf(pattern, i), "package p\n")
	}
	return files
}

// treeOf returns a repository with these files: path, text, path, text …
func treeOf(t *testing.T, files []string) (h tree) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		p, body := files[i], files[i+1]
		if !strings.HasSuffix(p, ".go") {
			h.texts = append(h.texts, text{p, body})
			continue
		}
		s, err := parse(p, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		h.files = append(h.files, s)
	}
	return h
}

// TestLoadReadsNestedModules checks which files the rules see, and which of them belong to
// the library.
func TestLoadReadsNestedModules(t *testing.T) {
	dir := t.TempDir()
	for p, body := range map[string]string{
		"a.go": "package a\n", "b/go.mod": "module b\n", "b/b.go": "package b\n", ".ci/run": "true\n",
		"c.md": "# C\n", "testdata/d.go": "not Go", ".git/e.md": "", "_f/f.go": "not Go",
	} {
		p = filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := load(t, dir)
	if len(h.files) != 2 || len(h.texts) != 2 || len(h.sources()) != 1 || h.sources()[0].path != "a.go" {
		t.Errorf("%d Go files, %d of the library's module, and %d texts; want 2, 1 and 2", len(h.files), len(h.sources()), len(h.texts))
	}
}

// TestHouseNoticesSiblings breaks the rules for the files of a package.
func TestHouseNoticesSiblings(t *testing.T) {
	src := func(p, text string) source {
		f, err := parse(p, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	bare := []source{src("a/x_linux.go", "//go:build linux\n\npackage a\n\nfunc F() {}\n")}
	if got := lonely(bare); len(got) != 2 {
		t.Errorf("a file alone: %q", got)
	}
	whole := append(bare, src("a/x_other.go", "//go:build !linux\n\npackage a\n"), src("a/x.go", "package a\n"))
	if got := lonely(whole); len(got) != 0 {
		t.Errorf("a file with its siblings: %q", got)
	}
	if got := uncommented(whole); len(got) != 1 {
		t.Errorf("a package without a comment: %q", got)
	}
	if got := uncommented(append(whole, src("a/doc.go", "// Package a is.\npackage a\n"))); len(got) != 0 {
		t.Errorf("a package with a comment: %q", got)
	}
}
