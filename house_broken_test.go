package rota_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHouseNotices breaks each rule once.
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
		{"a method of nobody's", "master/x.go", "package master\n\nfunc (t *t) Do() {}\n", ""},
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
			for _, s := range sources(t, dir) {
				for _, rule := range []problems{checkImports, checkStdOnly, checkPure, checkFormat, checkDocs, checkBuild, checkEnds} {
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

// TestHouseNoticesSiblings is the same for the rules that look at several files.
func TestHouseNoticesSiblings(t *testing.T) {
	src := func(p, text string) source {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		return source{path: p, text: []byte(text), ast: f, fset: fset}
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
