package rota_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/format"
	"path"
	"regexp"
	"slices"
	"strings"
)

// ends are the allowed calls that end the process or a goroutine of the program, as
// "file: call".
var ends = []string{
	"restart.go: os.Exit",                    // the master that doesn't run main
	"role.go: os.Exit",                       // Listen has made this process the master, and its rota has ended
	"internal/workerproc/worker.go: os.Exit", // the master has died, and main does not return
}

// obvious are the methods that need no comment, because their interface documents them.
var obvious = []string{"String", "Error", "Unwrap", "Is", "As", "Network"}

func checkFormat(s source) []string {
	formatted, err := format.Source(s.text)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("%s: %v", s.path, err)}
	case !bytes.Equal(formatted, s.text):
		return []string{s.path + ": is not as gofmt writes it"}
	}
	return nil
}

// checkDocs finds exported names without a comment, in internal packages too.
func checkDocs(s source) (bad []string) {
	if s.test() || s.main() {
		return nil
	}
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if needsDoc(d) && d.Doc == nil {
				bad = append(bad, fmt.Sprintf("%s: %s has no comment", s.line(d), d.Name.Name))
			}
		case *ast.GenDecl:
			bad = append(bad, undocumented(s, d)...)
		}
	}
	return bad
}

func needsDoc(d *ast.FuncDecl) bool {
	if !d.Name.IsExported() {
		return false
	}
	return d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) && !slices.Contains(obvious, d.Name.Name)
}

// receiver returns the name of the type in a method's receiver.
func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// undocumented returns the exported names of a declaration without a comment. A comment
// on the whole group is enough for constants and variables, but not for types.
func undocumented(s source, d *ast.GenDecl) (bad []string) {
	for _, spec := range d.Specs {
		var names []*ast.Ident
		var documented bool
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = []*ast.Ident{spec.Name}
			documented = spec.Doc != nil || spec.Comment != nil || d.Doc != nil && !d.Lparen.IsValid()
		case *ast.ValueSpec:
			names = spec.Names
			documented = spec.Doc != nil || spec.Comment != nil || d.Doc != nil
		}
		for _, name := range names {
			if name.IsExported() && !documented {
				bad = append(bad, fmt.Sprintf("%s: %s has no comment", s.line(name), name.Name))
			}
		}
	}
	return bad
}

// platform matches file names with a platform, which the go command or a reader
// recognises.
var platform = regexp.MustCompile(`^(.+)_(linux|darwin|windows|freebsd|unix|other)(_test)?\.go$`)

// checkBuild finds files with a platform in their name but without a //go:build line.
func checkBuild(s source) []string {
	if platform.MatchString(path.Base(s.path)) && !s.tagged() {
		return []string{s.path + ": //go:build is not written out"}
	}
	return nil
}

func (s source) tagged() bool {
	for _, group := range s.ast.Comments {
		for _, c := range group.List {
			if c.Pos() < s.ast.Package && constraint.IsGoBuild(c.Text) {
				return true
			}
		}
	}
	return false
}

// lonely finds platform files with exported names that have no sibling for all platforms,
// where the documentation belongs, and platform files without a sibling for the other
// platforms.
func lonely(all []source) (bad []string) {
	have := map[string]source{}
	for _, s := range all {
		have[s.path] = s
	}
	for _, s := range all {
		m := platform.FindStringSubmatch(path.Base(s.path))
		if m == nil || s.test() || s.main() {
			continue
		}
		stem := path.Join(s.dir(), m[1])
		if sibling, ok := have[stem+".go"]; len(exported(s)) > 0 && (!ok || sibling.tagged()) {
			bad = append(bad, fmt.Sprintf("%s: exports %v, and there is no %s.go for all platforms", s.path, exported(s), stem))
		}
		if _, ok := have[stem+"_other.go"]; !ok {
			bad = append(bad, fmt.Sprintf("%s: there is no %s_other.go", s.path, stem))
		}
	}
	return bad
}

func exported(s source) (names []string) {
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && needsDoc(d) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok && t.Name.IsExported() {
					names = append(names, t.Name.Name)
				}
			}
		}
	}
	return names
}

// checkEnds finds calls that panic or end the process: a library returns errors.
func checkEnds(s source) (bad []string) {
	if !s.library() {
		return nil
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if what := ending(n); what != "" && !slices.Contains(ends, s.path+": "+what) {
			bad = append(bad, fmt.Sprintf("%s: %s: a library returns an error", s.line(n), what))
		}
		return true
	})
	return bad
}

func ending(n ast.Node) string {
	switch n := n.(type) {
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "panic" {
			return "panic"
		}
	case *ast.SelectorExpr:
		x, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		name := x.Name + "." + n.Sel.Name
		if name == "os.Exit" || name == "syscall.Exit" || name == "runtime.Goexit" ||
			x.Name == "log" && (strings.HasPrefix(n.Sel.Name, "Fatal") || strings.HasPrefix(n.Sel.Name, "Panic")) {
			return name
		}
	}
	return ""
}

// uncommented finds packages without a package comment.
func uncommented(all []source) (bad []string) {
	commented := map[string]bool{}
	for _, s := range all {
		if !strings.HasSuffix(s.ast.Name.Name, "_test") {
			commented[s.dir()] = commented[s.dir()] || s.ast.Doc != nil && len(s.ast.Doc.Text()) > 0
		}
	}
	for dir, ok := range commented {
		if !ok {
			bad = append(bad, dir+": the package has no comment")
		}
	}
	return bad
}
