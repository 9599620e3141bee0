package rota_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// globals are the variables of packages that may hold state, and why one process must
// have exactly one of each. The list may only shrink.
var globals = map[string]string{
	"worker.leases":                  "goroutines of a process without a master exclude each other as processes with one do",
	"worker.self":                    "the exported value of internal/workerproc.self: Self returns the same one at each call",
	"internal/workerproc.self":       "a process is one worker: its link is inherited before main can start a process",
	"..theMaster":                    "Setup and Listen have no receiver, and a process becomes one master at most",
	"..workerSignalsOnce":            "the handlers of a worker's signals belong to its process",
	"internal/hangup.own":            "a process has one action for SIGHUP, from before main on",
	"internal/process.state":         "the environment, umask and descriptors, read before main can change them",
	"internal/process.started":       "the working directory and os.Args, read before main can change them",
	"internal/successor.shared":      "tableflip allows one Upgrader in a process",
	"internal/successor.predecessor": "the link to the previous master, inherited before main can start a process",
	"rotahttp.attachMu":              "guards the fields of the http.Server values of the program, which have no lock of their own",
	"internal/conn.started":          "the base of encoded deadlines, which keep to the monotonic clock",
	"rotahttp.begun":                 "the base of the times of requests, which are read without the calendar",
	"internal/link.master":           "a process has one role, and packages that can't import each other ask for it",
	"internal/link.worker":           "a process has one role, and packages that can't import each other ask for it",
	"internal/link.segments":         "a pool of buffers, which all links of the process share",
	"internal/link.watching":         "one link at a time may use the processor to poll, in the whole process",
}

// constantCalls are functions whose result nobody can change, or which guard it.
var constantCalls = []string{
	"errors.New", "fmt.Errorf", "regexp.MustCompile", "sync.OnceFunc", "sync.OnceValue", "sync.OnceValues",
	"time.Unix", "time.Date", "unix.CmsgSpace", "strings.NewReplacer",
}

// checkGlobals finds variables of packages that hold state. A constant in the form of a
// variable, such as an error, a table or a compiled pattern, is none if nothing in its
// package assigns to it or takes its address.
func checkGlobals(h tree, allowed map[string]string) (bad []string) {
	found := map[string]bool{}
	all := h.packages()
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		changed := changedIn(all[dir])
		for _, s := range all[dir] {
			for _, v := range variables(s) {
				key := dir + "." + v.name.Name
				reason := v.state(changed)
				if reason == "" {
					continue
				}
				found[key] = true
				if allowed[key] == "" {
					bad = append(bad, fmt.Sprintf("%s: %s is mutable state of the package (%s): move it into a type, or add it to globals with its reason", s.line(v.name), v.name.Name, reason))
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(allowed)) {
		if !found[key] {
			bad = append(bad, "globals_test.go: "+key+" is gone, or no state: delete its line from globals")
		}
	}
	return bad
}

// variable is one name of a var declaration of a package.
type variable struct {
	name  *ast.Ident
	spec  *ast.ValueSpec
	value ast.Expr // nil if it has none of its own
}

// variables returns the variables that s declares for its package. Only files that
// programs link have any.
func variables(s source) (all []variable) {
	if !s.library() {
		return nil
	}
	for _, d := range s.ast.Decls {
		d, ok := d.(*ast.GenDecl)
		if !ok || d.Tok != token.VAR {
			continue
		}
		for _, spec := range d.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, name := range spec.Names {
				v := variable{name: name, spec: spec}
				if i < len(spec.Values) {
					v.value = spec.Values[i]
				}
				all = append(all, v)
			}
		}
	}
	return all
}

// state returns why v is mutable, or "".
func (v variable) state(changed map[string]string) string {
	switch at := changed[v.name.Name]; {
	case v.name.Name == "_":
		return ""
	case at != "":
		return "changed at " + at
	case v.value == nil && isTable(v.spec.Type):
		return "" // always empty
	case v.value == nil:
		return "it has no value"
	case !v.constant():
		return "its value is no constant, table, error or pattern"
	}
	return ""
}

func (v variable) constant() bool {
	switch x := v.value.(type) {
	case *ast.BasicLit:
		return true
	case *ast.SelectorExpr: // an error of another package under a name of this one
		return strings.HasPrefix(strings.ToLower(v.name.Name), "err")
	case *ast.FuncLit:
		return true
	case *ast.CompositeLit:
		return isTable(x.Type)
	case *ast.CallExpr:
		return isTable(x.Fun) || slices.Contains(constantCalls, callee(x))
	}
	return false
}

// isTable reports whether a type is that of a literal without hidden state. The type of
// a conversion, such as []byte, is one.
func isTable(t ast.Expr) bool {
	switch t.(type) {
	case *ast.MapType, *ast.ArrayType:
		return true
	}
	return false
}

// callee returns the function that is called, as in errors.New.
func callee(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// changedIn returns the variables of a package that its files, the tests too, change or
// take the address of, and where.
func changedIn(files []source) map[string]string {
	changed := map[string]string{}
	for _, s := range files {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			for _, x := range targets(n) {
				if id := root(x); id != nil && s.global(id) {
					changed[id.Name] = s.line(id)
				}
			}
			return true
		})
	}
	return changed
}

// targets returns the expressions that n may change.
func targets(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			return []ast.Expr{n.X}
		}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.CallExpr:
		if f := callee(n); len(n.Args) > 0 && (f == "delete" || f == "clear" || f == "copy") {
			return n.Args[:1]
		}
	}
	return nil
}

// root returns the variable that x is a part of.
func root(x ast.Expr) *ast.Ident {
	switch x := x.(type) {
	case *ast.Ident:
		return x
	case *ast.IndexExpr:
		return root(x.X)
	case *ast.SliceExpr:
		return root(x.X)
	case *ast.SelectorExpr:
		return root(x.X)
	case *ast.StarExpr:
		return root(x.X)
	case *ast.ParenExpr:
		return root(x.X)
	}
	return nil
}

// global reports whether id is a variable of the package. The parser resolves names
// within a file, so a name without an object comes from another file.
func (s source) global(id *ast.Ident) bool {
	return id.Obj == nil || s.ast.Scope.Lookup(id.Name) == id.Obj
}
