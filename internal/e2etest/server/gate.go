//go:build linux

package server

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

// Gate keeps requests in flight until a test lets them through: [Answer] answers those on Path
// after Open.
type Gate struct {
	Path string
	t    testing.TB
	file string
}

// NewGate returns a gate that is closed. The end of the test opens it.
func NewGate(t testing.TB) Gate {
	t.Helper()
	file := filepath.Join(e2etest.ShortDir(t), "open")
	g := Gate{"/?until=" + file, t, file}
	t.Cleanup(g.Open)
	return g
}

// Open lets the requests through.
func (g Gate) Open() {
	g.t.Helper()
	e2etest.NoError(g.t, os.WriteFile(g.file, nil, 0o644))
}
