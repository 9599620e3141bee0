package rota_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const decisions = "docs/decisions"

// decisionForm is what every file in docs/decisions must match.
var decisionForm = regexp.MustCompile(`(?s)^# (\d+)\. [^\n]+\n\n` +
	`- \*\*Status\*\*: (accepted|superseded by \d+)\n- \*\*Date\*\*: \d{4}-\d\d-\d\d\n\n` +
	`## Context\n\n.+\n## Decision\n\n.+\n## Consequences\n\n.+\n$`)

// TestDecisions checks that decisions have one form and consecutive numbers, and that
// the index lists each of them.
func TestDecisions(t *testing.T) {
	index := readFile(t, path.Join(decisions, "README.md"))
	for i, name := range decisionFiles(t) {
		if want := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, want) {
			t.Errorf("%s: the next file's name must begin with %s", name, want)
		}
		text := readFile(t, path.Join(decisions, name))
		m := decisionForm.FindStringSubmatch(text)
		if m == nil {
			t.Errorf("%s: must have a title, Status, Date, Context, Decision and Consequences", name)
			continue
		}
		if m[1] != fmt.Sprint(i+1) {
			t.Errorf("%s: the title has number %s", name, m[1])
		}
		title, _, _ := strings.Cut(text, "\n")
		_, title, _ = strings.Cut(title, ". ")
		row := fmt.Sprintf("| [%s](%s) | %s | %s | ", name[:4], name, title, m[2])
		if !strings.Contains(index, row) {
			t.Errorf("%s/README.md has no row that begins with\n%s", decisions, row)
		}
	}
}

// citations of a decision: by its file, or by its number in prose.
var citations = regexp.MustCompile(`(?i)(?:decisions/|\bdecisions? )(\d+)`)

// TestCitations checks that every decision, document and anchor that the repository
// cites exists.
func TestCitations(t *testing.T) {
	known := map[string]bool{}
	for _, name := range decisionFiles(t) {
		known[strings.TrimLeft(name[:4], "0")] = true
	}
	for _, p := range textFiles(t) {
		text := readFile(t, p)
		for _, m := range citations.FindAllStringSubmatch(text, -1) {
			if !known[strings.TrimLeft(m[1], "0")] {
				t.Errorf("%s: cites %q, which does not exist", p, m[0])
			}
		}
		for _, link := range links(p, text) {
			if why := broken(t, link); why != "" {
				t.Errorf("%s: %s", p, why)
			}
		}
	}
}

var (
	inMarkdown = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	inText     = regexp.MustCompile(`\bdocs/[\w./-]+\.md(?:#[\w-]+)?`)
)

// links returns the files of the repository that text, of file p, refers to, each with
// its anchor if there is one.
func links(p, text string) (all []string) {
	all = inText.FindAllString(text, -1)
	if path.Ext(p) != ".md" {
		return all
	}
	for _, m := range inMarkdown.FindAllStringSubmatch(text, -1) {
		to := m[1] + m[2]
		switch {
		case strings.Contains(to, "://"):
		case strings.HasPrefix(to, "#"):
			all = append(all, p+to)
		default:
			all = append(all, path.Join(path.Dir(p), to))
		}
	}
	return all
}

// broken says what is wrong with a link, or returns "".
func broken(t *testing.T, link string) string {
	name, anchor, _ := strings.Cut(link, "#")
	if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
		return "refers to " + name + ", which does not exist"
	}
	if anchor != "" && !anchors(readFile(t, name))[anchor] {
		return "refers to " + link + ", but the file has no such anchor"
	}
	return ""
}

var (
	explicit = regexp.MustCompile(`<a id="([^"]+)">`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	dropped  = regexp.MustCompile(`[^\w\s-]`)
)

// anchors are those that a page of Markdown offers: explicit ones, and one for each
// heading as GitHub derives it.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range explicit.FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		s := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(s, " ", "-")] = true
	}
	return found
}

// decisionFiles are the names of the decisions, in order.
func decisionFiles(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.FromSlash(decisions))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "README.md" {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		t.Fatal(decisions + " has no decisions")
	}
	return names
}

// textFiles are the Go and Markdown files of the repository, those of its other modules
// too. This file is left out: its patterns look like citations.
func textFiles(t *testing.T) (all []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && strings.HasPrefix(d.Name(), ".") && d.Name() != ".github":
			return fs.SkipDir
		case !d.IsDir() && (path.Ext(p) == ".go" || path.Ext(p) == ".md") && p != "decisions_test.go":
			all = append(all, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
