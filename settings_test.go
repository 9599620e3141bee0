package rota

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/settings"
)

// settingsTable matches the table of variables in docs/operations.md.
var settingsTable = regexp.MustCompile(`(?s)<!-- settings -->\n(.*?)<!-- end of settings -->`)

// docs/operations.md has all variables, what they may be, and what holds without them, as the comments of master.Config say.
func TestSettingsInTheDocs(t *testing.T) {
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| variable | field of `Config` | value | without |\n|---|---|---|---|\n")
	defaults := defaultsOfConfig(t)
	for _, s := range settings.Table {
		value := regexp.MustCompile(`"(\w+)"`).ReplaceAllString(s.Wants(), "`$1`")
		fmt.Fprintf(&want, "| `%s` | `%s` | %s | %s |\n", s.Variable, s.Field, value, defaults[s.Field])
	}
	m := settingsTable.FindSubmatch(page)
	if m == nil || string(m[1]) != want.String() {
		t.Errorf("the table in docs/operations.md should be\n%s", want.String())
	}
}

// zeroMeans matches what the comment of a field says of its zero value.
var zeroMeans = regexp.MustCompile(`(?:Zero(?: and [a-zA-Z]+)?|Empty) means? (?:that there is )?(.*?)(?:, (?:AtOnce|NoLimit|math|and for)|;|\. |\.$)`)

// defaultsOfConfig returns what each field of master.Config is if it is zero. A switch is off.
func defaultsOfConfig(t *testing.T) map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "master/config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && len(f.Names) > 0 {
			means := "off"
			if m := zeroMeans.FindStringSubmatch(strings.ReplaceAll(strings.TrimSpace(f.Doc.Text()), "\n", " ")); m != nil {
				means = m[1]
			}
			defaults[f.Names[0].Name] = means
		}
		return true
	})
	return defaults
}

// A duration of ListenConfig has the same spelling as those of master.Config. A new number or
// duration has to be put here.
func TestListenConfigDurations(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{0: 0, NoLimit: 0, AtOnce: 1, -time.Hour: 1, time.Second: time.Second} {
		if got := (&ListenConfig{CloseWithin: set}).options().CloseWithin; got != want {
			t.Errorf("CloseWithin %v is %v, want %v", set, got, want)
		}
	}
	typ := reflect.TypeFor[ListenConfig]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		if known := []string{"CloseWithin", "Backlog", "Mode", "Spread"}; reflect.Zero(f.Type).CanInt() && !slices.Contains(known, f.Name) {
			t.Errorf("%s: is zero its default, and what do a negative value and the largest mean?", f.Name)
		}
	}
}
