package rota

import (
	"fmt"
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

// docs/operations.md has all variables, and what they may be.
func TestSettingsInTheDocs(t *testing.T) {
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| variable | field of `Config` | value |\n|---|---|---|\n")
	for _, s := range settings.Table {
		value := regexp.MustCompile(`"(\w+)"`).ReplaceAllString(s.Wants(), "`$1`")
		fmt.Fprintf(&want, "| `%s` | `%s` | %s |\n", s.Variable, s.Field, value)
	}
	m := settingsTable.FindSubmatch(page)
	if m == nil || string(m[1]) != want.String() {
		t.Errorf("the table in docs/operations.md should be\n%s", want.String())
	}
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
