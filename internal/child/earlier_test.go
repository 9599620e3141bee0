package child

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/process"
)

// The release before is that of the first executable that the workers don't run already.
func TestBefore(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("\x7fELF "+name), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keep := func(all *Earlier, number int, path string) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fd, err := descriptor.DupOf(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Keep(number, fd)
	}
	one, two, three := file("one"), file("two"), file("three")
	serving, err := Prepare(9, "c", process.Spec{Exec: three})
	if err != nil {
		t.Fatal(err)
	}
	serving.Use()
	for _, tc := range []struct {
		name  string
		files map[int]string
		want  int
	}{
		{"of an upgrade to another file", map[int]string{5: two, 4: one}, 5},
		{"of an upgrade to the same file", map[int]string{5: three, 4: one}, 4},
		{"none", map[int]string{5: three}, 0},
		{"nothing is kept", nil, 0},
	} {
		var all Earlier
		for _, n := range []int{5, 4} {
			if path := tc.files[n]; path != "" {
				keep(&all, n, path)
			}
		}
		var g *Generation[string]
		Before(serving, all, func(n int, f *os.File) (*Generation[string], error) {
			text, _ := io.ReadAll(f)
			return &Generation[string]{Number: n, Config: string(text)}, f.Close()
		}, func(f func() func()) { f()() }, func(is *Generation[string]) { g = is })
		switch {
		case (g == nil) != (tc.want == 0) || serving.users != 1 || g != nil && g.users != 1:
			t.Errorf("%s: %+v", tc.name, g)
		case g != nil && (g.Number != tc.want || g.Config != fmt.Sprintf("\x7fELF %s", filepath.Base(tc.files[tc.want]))):
			t.Errorf("%s: %+v", tc.name, g)
		}
		for _, e := range all {
			if e.executable.Close() == nil {
				t.Errorf("%s: the executable of generation %d is left open", tc.name, e.number)
			}
		}
	}
}
