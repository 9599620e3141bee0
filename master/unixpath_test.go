//go:build linux

package master

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// bind(2) ends a path at its first zero: that would be another file than the one that
// was asked for, and none that anybody unlinks.
func TestPathWithZero(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a\x00b")
	b, err := bindPath(t.Context(), request{Request: bind.Request{Network: "unix", Address: path}})
	if err == nil {
		b.close()
	}
	var op *net.OpError
	if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Addr.String() != path {
		t.Errorf("error %v, want EINVAL for the path", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
}
