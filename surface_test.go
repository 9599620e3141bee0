package rota_test

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// public are the packages that programs import.
const public = ". master worker ipc reload status rotahttp listentest health"

// internalTypes are the exported names that have a type of an internal package in their
// signature today. Programs can't write such a type, and it isn't in their
// documentation. The list may only shrink.
var internalTypes = []string{}

// checkSurface finds exported names of public packages whose signature has a type of an
// internal package.
func checkSurface(h tree, exceptions []string) (bad []string) {
	found := map[string]bool{}
	typed, aliases := internalValues(h), internalAliases(h)
	for _, s := range h.sources() {
		if s.test() || s.main() || !among(public, s.dir()) {
			continue
		}
		f := surface{source: s, internal: internalImports(s), typed: typed, aliases: aliases[s.dir()]}
		for _, d := range s.ast.Decls {
			f.decl(d)
		}
		for _, m := range f.found {
			found[m.name] = true
			if !slices.Contains(exceptions, m.name) {
				bad = append(bad, fmt.Sprintf("%s: %s has %s in its signature: use a type of a public package", s.line(m.at), m.name, m.what))
			}
		}
	}
	for _, name := range exceptions {
		if !found[name] {
			bad = append(bad, fmt.Sprintf("surface_test.go: %s has no internal type any more: delete it from internalTypes", name))
		}
	}
	return bad
}

// surface looks for internal types in the exported declarations of a file.
type surface struct {
	source
	internal map[string]string          // import path from the root, by local name
	typed    map[string]map[string]bool // by directory, the values with a type declared there
	aliases  map[string]bool            // of internal types, that are not exported
	found    []mention
}

type mention struct {
	name, what string
	at         ast.Node
}

// internalImports returns the internal packages that s imports.
func internalImports(s source) map[string]string {
	m := map[string]string{}
	for _, spec := range s.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		dir, ok := strings.CutPrefix(p, module+"/internal/")
		if !ok {
			continue
		}
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		m[name] = "internal/" + dir
	}
	return m
}

// internalValues returns, for each internal package, its exported constants and
// variables with a declared type that is not predeclared.
func internalValues(h tree) map[string]map[string]bool {
	m := map[string]map[string]bool{}
	for _, s := range h.sources() {
		if s.test() || !strings.HasPrefix(s.dir(), "internal/") {
			continue
		}
		if m[s.dir()] == nil {
			m[s.dir()] = map[string]bool{}
		}
		for _, d := range s.ast.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				typedValues(d, m[s.dir()])
			}
		}
	}
	return m
}

// internalAliases returns, for each package, the names that are not exported and stand
// for an internal type.
func internalAliases(h tree) map[string]map[string]bool {
	m := map[string]map[string]bool{}
	for _, s := range h.sources() {
		f := surface{source: s, internal: internalImports(s)}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			t, ok := n.(*ast.TypeSpec)
			if !ok || !t.Assign.IsValid() || t.Name.IsExported() {
				return true
			}
			if f.found = nil; m[s.dir()] == nil {
				m[s.dir()] = map[string]bool{}
			}
			f.look(t.Name.Name, t.Type)
			m[s.dir()][t.Name.Name] = len(f.found) > 0
			return true
		})
	}
	return m
}

// typedValues adds the typed values of d. In a group with iota, the type carries over to
// the constants below it.
func typedValues(d *ast.GenDecl, into map[string]bool) {
	carried := false
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if v.Type != nil || len(v.Values) > 0 {
			id, ok := v.Type.(*ast.Ident)
			carried = ok && ast.IsExported(id.Name)
		}
		for _, name := range v.Names {
			into[name.Name] = carried
		}
	}
}

func (f *surface) decl(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if name, ok := f.callable(d); ok {
			f.look(name, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			f.spec(spec)
		}
	}
}

// callable returns the name of d, as in the documentation, if programs can call it.
func (f *surface) callable(d *ast.FuncDecl) (name string, ok bool) {
	name = d.Name.Name
	if d.Recv != nil {
		name = receiver(d.Recv.List[0].Type) + "." + name
	}
	return f.qualified(name), ast.IsExported(name) && d.Name.IsExported()
}

// qualified returns the name with its package, as in ipc.Send.
func (f *surface) qualified(name string) string { return f.ast.Name.Name + "." + name }

func (f *surface) spec(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() {
			f.look(f.qualified(spec.Name.Name), spec.Type)
		}
	case *ast.ValueSpec:
		for i, name := range spec.Names {
			if name.IsExported() && spec.Type != nil {
				f.look(f.qualified(name.Name), spec.Type)
			} else if name.IsExported() && i < len(spec.Values) {
				f.value(f.qualified(name.Name), spec.Values[i])
			}
		}
	}
}

// value looks at the value of a variable or constant without a declared type.
func (f *surface) value(name string, v ast.Expr) {
	switch v := v.(type) {
	case *ast.SelectorExpr: // a value of another package has the type that it has there
		if x, ok := v.X.(*ast.Ident); ok && f.typed[f.internal[x.Name]][v.Sel.Name] {
			f.found = append(f.found, mention{name, "the type of " + x.Name + "." + v.Sel.Name, v})
		}
	case *ast.CompositeLit:
		f.look(name, v.Type)
	case *ast.UnaryExpr:
		f.value(name, v.X)
	case *ast.CallExpr:
		f.look(name, v.Fun)
	}
}

// look finds the internal types in a type. It leaves out struct fields that are not
// exported.
func (f *surface) look(name string, n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if len(field.Names) == 0 || slices.ContainsFunc(field.Names, (*ast.Ident).IsExported) {
					f.look(name, field.Type)
				}
			}
			return false
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && f.internal[x.Name] != "" {
				f.found = append(f.found, mention{name, x.Name + "." + n.Sel.Name, n})
			}
			return false
		case *ast.Field:
			f.look(name, n.Type) // not its names
			return false
		case *ast.Ident:
			if f.aliases[n.Name] {
				f.found = append(f.found, mention{name, n.Name + ", an alias of an internal type,", n})
			}
		}
		return true
	})
}
