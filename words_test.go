package rota_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// checkWords finds the phrases and names of wordlist_test.go in the comments, string
// literals and names of Go files, and in the pages of the documentation. It passes over
// the files and directories in exempt, and finds those that no longer need it.
func checkWords(h tree, exempt []string) (bad []string) {
	used := map[string]bool{}
	report := func(p string, findings []string) {
		for _, e := range []string{p, dirOf(p)} {
			if slices.Contains(exempt, e) {
				used[e] = used[e] || len(findings) > 0
				return
			}
		}
		bad = append(bad, findings...)
	}
	for _, s := range h.files {
		if p := s.path; p != "wordlist_test.go" && p != "house_broken_test.go" { // they quote the words
			report(p, slices.Concat(phrasesIn(s), namesIn(s)))
		}
	}
	for _, x := range h.texts {
		report(x.path, phraseFindings(x.path, 1, x.body))
	}
	for _, e := range exempt {
		if !used[e] {
			bad = append(bad, fmt.Sprintf("wordlist_test.go: %s has none of the words any more: delete it from pending", e))
		}
	}
	return bad
}

func dirOf(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i+1]
	}
	return "./"
}

// phrasesIn finds phrases in the comments and strings of a file.
func phrasesIn(s source) (bad []string) {
	for _, group := range s.ast.Comments {
		first := s.fset.Position(group.Pos()).Line
		bad = append(bad, phraseFindings(s.path, first, comment(group))...)
	}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				body, _ := strconv.Unquote(n.Value)
				bad = append(bad, phraseFindings(s.path, s.fset.Position(n.Pos()).Line, body)...)
			}
		}
		return true
	})
	return bad
}

// comment returns the text of a group with its line breaks but without the slashes.
func comment(group *ast.CommentGroup) string {
	var lines []string
	for _, c := range group.List {
		lines = append(lines, strings.TrimPrefix(c.Text, "//"))
	}
	return strings.Join(lines, "\n")
}

// anyPhrase matches each phrase. It also matches across line breaks.
var anyPhrase = regexp.MustCompile(`\b(?:` + strings.ReplaceAll(strings.Join(slices.Sorted(maps.Keys(phrases)), "|"), " ", `\s+`) + `)\b`)

// eachPhrase matches one phrase each, by its pattern.
var eachPhrase = compiled(phrases)

func compiled(patterns map[string]string) map[string]*regexp.Regexp {
	m := map[string]*regexp.Regexp{}
	for p := range patterns {
		m[p] = regexp.MustCompile("^(?:" + p + ")$")
	}
	return m
}

// phraseFindings finds phrases in a text that begins at a line of a file.
func phraseFindings(file string, first int, body string) (bad []string) {
	body = strings.ToLower(body)
	for _, at := range anyPhrase.FindAllStringIndex(body, -1) {
		found := strings.Join(strings.Fields(body[at[0]:at[1]]), " ")
		line := first + strings.Count(body[:at[0]], "\n")
		bad = append(bad, fmt.Sprintf("%s:%d: %q: write %s", file, line, found, insteadOf(found)))
	}
	return bad
}

// insteadOf returns what to write for a phrase that anyPhrase has found.
func insteadOf(found string) string {
	for pattern, instead := range phrases {
		if eachPhrase[pattern].MatchString(found) {
			return instead
		}
	}
	return "it in plain words"
}

// namesIn finds old names among those that a file declares.
func namesIn(s source) (bad []string) {
	for _, id := range declared(s.ast) {
		spaced := " " + strings.Join(words(id.Name), " ") + " "
		for old, instead := range names {
			if strings.Contains(spaced, " "+old+" ") {
				bad = append(bad, fmt.Sprintf("%s: the name %s has %q: the term is %s", s.line(id), id.Name, old, instead))
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// words splits a name such as makeWay into lower-case words.
func words(name string) []string {
	var spaced strings.Builder
	var last rune
	for _, r := range name {
		if unicode.IsUpper(r) && !unicode.IsUpper(last) || r == '_' {
			spaced.WriteByte(' ')
		}
		if r != '_' {
			spaced.WriteRune(unicode.ToLower(r))
		}
		last = r
	}
	return strings.Fields(spaced.String())
}

// declared returns the identifiers that f declares.
func declared(f *ast.File) (ids []*ast.Ident) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			ids = append(ids, n.Name)
		case *ast.TypeSpec:
			ids = append(ids, n.Name)
		case *ast.ValueSpec:
			ids = append(ids, n.Names...)
		case *ast.Field:
			ids = append(ids, n.Names...)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				ids = append(ids, identifiers(n.Lhs...)...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				ids = append(ids, identifiers(n.Key, n.Value)...)
			}
		}
		return true
	})
	return ids
}

func identifiers(all ...ast.Expr) (ids []*ast.Ident) {
	for _, x := range all {
		if id, ok := x.(*ast.Ident); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
