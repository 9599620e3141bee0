package process

import (
	"os"
	"runtime"
	"strings"
	"testing"
)

// What the go command has built says so; of another file only the path is known.
func TestReleaseOf(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r := releaseOf("/a", f); r.Path != "/a" || r.Go != runtime.Version() || !strings.Contains(r.Module, "rota") {
		t.Errorf("%+v", r)
	}
	text, err := os.Open("release_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	for _, f := range []*os.File{nil, text} {
		if r := releaseOf("/b", f); r.Path != "/b" || r.Go != "" {
			t.Errorf("%+v", r)
		}
	}
}
