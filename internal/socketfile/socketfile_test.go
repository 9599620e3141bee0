//go:build unix

package socketfile

import (
	"path/filepath"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// A name of a parent directory never leads elsewhere than what was decided about.
func TestParentInPath(t *testing.T) {
	for r, want := range map[[2]string]string{
		{"/run", "../etc/x"}: "/etc/x", {"", "/a/b/../x"}: "/a/x", {"/run", "a..b"}: "/run/a..b", {"/a/../b", "x"}: "/b/x",
	} {
		req := bind.Request{Network: "unix", Address: r[1], Dir: r[0]}
		if got := Path(req); got != want {
			t.Errorf("%v: %s, want %s", r, got, want)
		}
		if got := nameOf(req); hasParent(got) {
			t.Errorf("%v: bound at %s", r, got)
		}
	}
}

// FuzzPath: no name of a parent directory is left in what is bound, and each name is the path's.
func FuzzPath(f *testing.F) {
	for _, s := range [][2]string{{"/run", "a"}, {"", "a"}, {"/run", "../a"}, {"/run/..", "a/../../b"}, {"/", "/a/./b//c"}, {"x", "y"}, {"/run", ".."}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, dir, address string) {
		r := bind.Request{Network: "unix", Address: address, Dir: dir}
		if !bind.IsPath(r.Network, address) || !filepath.IsAbs(dir) && !filepath.IsAbs(address) {
			return
		}
		path, name := Path(r), nameOf(r)
		if hasParent(path) || hasParent(name) || !filepath.IsAbs(path) {
			t.Errorf("%q in %q: bound as %q at %q", address, dir, name, path)
		}
		if filepath.IsAbs(name) && filepath.Clean(name) != filepath.Clean(path) {
			t.Errorf("%q in %q: bound as %q at %q", address, dir, name, path)
		}
	})
}
