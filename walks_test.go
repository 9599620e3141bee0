package rota_test

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

const (
	wantWalks   = 7  // of docs/architecture.md: Listen, SIGHUP, an answer, an upgrade, a crash, a failed reload, a stop
	maxWalkStep = 20 // steps, so that a walk fits a reader's memory
)

// walk is a numbered list that leads a reader through the code. Each step names a
// function: "1. `listen.go` `ListenConfig.Listen` asks the master for the socket".
type walk struct {
	title string
	steps []string
}

var (
	walkHeading = regexp.MustCompile(`^#+ Walk: (.+)$`)
	walkItem    = regexp.MustCompile(`^\d+\. (.*)$`)
	walkStep    = regexp.MustCompile("^`([^` ]+\\.go)` `([^`]+)`")
	methodName  = regexp.MustCompile(`^\(?(\*?)(\w+)\)?\.(\w+)$`)
)

// walks returns the walks of a page.
func walks(page string) (all []walk) {
	inside := false
	for _, line := range strings.Split(page, "\n") {
		if m := walkHeading.FindStringSubmatch(line); m != nil {
			all, inside = append(all, walk{title: m[1]}), true
		} else if strings.HasPrefix(line, "#") {
			inside = false
		} else if m := walkItem.FindStringSubmatch(line); m != nil && inside {
			last := &all[len(all)-1]
			last.steps = append(last.steps, m[1])
		}
	}
	return all
}

// checkWalks finds steps of the walks in docs/architecture.md whose function is not in
// the file that they name.
func checkWalks(h tree, want int) (bad []string) {
	const page = "docs/architecture.md"
	var all []walk
	if i := slices.IndexFunc(h.texts, func(x text) bool { return x.path == page }); i >= 0 {
		all = walks(h.texts[i].body)
	}
	if len(all) != want {
		bad = append(bad, fmt.Sprintf("%s has %d sections \"Walk: …\", wantWalks in walks_test.go is %d: set it, or add the missing ones", page, len(all), want))
	}
	for _, w := range all {
		if len(w.steps) == 0 || len(w.steps) > maxWalkStep {
			bad = append(bad, fmt.Sprintf("%s: walk %q has %d steps, want 1 to %d", page, w.title, len(w.steps), maxWalkStep))
		}
		for i, step := range w.steps {
			if p := wrongStep(h, step); p != "" {
				bad = append(bad, fmt.Sprintf("%s: walk %q, step %d: %s", page, w.title, i+1, p))
			}
		}
	}
	return bad
}

// wrongStep returns what is wrong with a step, or "".
func wrongStep(h tree, step string) string {
	m := walkStep.FindStringSubmatch(step)
	if m == nil {
		return fmt.Sprintf("%q must begin with `path/file.go` `Func` or `(*Type).Method`", step)
	}
	i := slices.IndexFunc(h.files, func(s source) bool { return s.path == m[1] })
	if i < 0 {
		return m[1] + " does not exist: name the file that has the function now"
	}
	if !h.files[i].declares(m[2]) {
		return fmt.Sprintf("%s has no function %s: update the step", m[1], m[2])
	}
	return ""
}

// declares reports whether s has the function or method with this name, which is F, T.M
// or (*T).M.
func (s source) declares(name string) bool {
	pointer, typ := "", ""
	if m := methodName.FindStringSubmatch(name); m != nil {
		pointer, typ, name = m[1], m[2], m[3]
	}
	return slices.ContainsFunc(s.ast.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != name || (f.Recv == nil) != (typ == "") {
			return false
		}
		if f.Recv == nil {
			return true
		}
		_, isPointer := f.Recv.List[0].Type.(*ast.StarExpr)
		return receiver(f.Recv.List[0].Type) == typ && (pointer == "" || isPointer)
	})
}
