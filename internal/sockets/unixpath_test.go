//go:build linux

package sockets

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// A path with a zero byte is refused: bind(2) would end it there, and bind another file
// than the one that was asked for, which nobody would unlink.
func TestPathWithZero(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a\x00b")
	o, err := openPath(t.Context(), Request{Request: bind.Request{Network: "unix", Address: path}})
	if err == nil {
		o.Close()
	}
	var op *net.OpError
	if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Addr.String() != path {
		t.Errorf("error %v, want EINVAL for the path", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
}
