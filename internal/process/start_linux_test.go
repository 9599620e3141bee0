//go:build linux

package process

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/link"
)

// start starts a worker of spec and closes its image at the end of the test.
func start(t *testing.T, spec Spec) *Process {
	t.Helper()
	image, err := Prepare(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(image.Close)
	p, err := image.Start(link.Identity{ID: 1, Slot: 2, Generation: 3}, map[string]string{"ONE": "1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Link.Close() })
	return p
}

// A silent worker gets its environment and directory, and its output can be read.
func TestStartSilent(t *testing.T) {
	dir := t.TempDir()
	p := start(t, Spec{
		Exec: "/bin/sh", Args: []string{"-c", `pwd; echo "$ONE $TWO"; echo "$ROTA_WORKER" >&2; exit 3`},
		Dir: dir, Env: func() ([]string, error) { return []string{"TWO=2"}, nil }, Silent: true,
	})
	defer closeFiles(p.Output)
	out, _ := io.ReadAll(p.Output[0])
	check(t, "stdout", string(out), dir+"\n1 2\n")
	identity, _ := io.ReadAll(p.Output[1])
	id, err := link.ParseIdentity(strings.TrimSpace(string(identity)))
	if want := (link.Identity{FD: 3, ID: 1, Slot: 2, Generation: 3, Master: os.Getpid()}); err != nil || id != want {
		t.Errorf("the worker is %+v, %v, want %+v", id, err, want)
	}
	check(t, "exit", p.Wait(), Exit{Code: 3})
}

// An image starts the executable that it was prepared from, whatever stands at the path.
func TestImageKeepsExecutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker")
	copyFile(t, "/bin/sleep", path)
	image, err := Prepare(Spec{Exec: path, Args: []string{"60"}})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	check(t, "command", image.command(), path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p, err := image.Start(link.Identity{ID: 1}, nil)
	if err != nil {
		t.Fatalf("after its file was removed: %v", err)
	}
	defer p.Link.Close()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	check(t, "exit", p.Wait(), Exit{Signal: syscall.SIGTERM})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
