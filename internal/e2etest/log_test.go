//go:build linux

package e2etest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// Tests name what the master logs by this package's constants, so that they are in one
// file.
func TestLogLinesAreInOneFile(t *testing.T) {
	root, _ := filepath.Glob("../../e2e/*_test.go")
	below, _ := filepath.Glob("../../e2e/*/*_test.go")
	if len(root) == 0 || len(below) == 0 {
		t.Fatal("the tests have moved")
	}
	for _, path := range append(root, below...) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && literalLine(call) {
				t.Errorf("%s: a log line as a literal: add it to log.go", fset.Position(call.Pos()))
			}
			return true
		})
	}
}

// literalLine reports whether a call passes a literal where it should pass a Line.
func literalLine(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.Sel.Name != "WaitLog" && f.Sel.Name != "Logged" && f.Sel.Name != "LoggedTogether" {
		return false
	}
	for _, arg := range call.Args {
		if lit, ok := arg.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			return true
		}
	}
	return false
}

func TestPIDAndAddrAreReadFromTheLog(t *testing.T) {
	p := Launch(t, "web", config{})
	p.WaitLog(WorkerReady, 1)
	if p.Addr() == "" || p.PID() != p.Cmd.Process.Pid {
		t.Errorf("address %q, pid %d", p.Addr(), p.PID())
	}
	_, _ = p.Log.Write([]byte(string(TookOver) + " pid=1000000 took=1ms\n"))
	if p.PID() != 1_000_000 {
		t.Errorf("after an upgrade: pid %d", p.PID())
	}
	Kill(t, p.Cmd.Process.Pid)
	p.Wait()
	if !p.LoggedTogether(TookOver, Line("took=")) || p.LoggedTogether(TookOver, WorkerReady) {
		t.Errorf("lines are mixed up:\n%s", p.Log)
	}
}
