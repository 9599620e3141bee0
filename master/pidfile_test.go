package master

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPublishPID(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	l := &loop{cfg: Config{PIDFile: path}, log: slog.New(slog.DiscardHandler)}
	l.publishPID()
	b, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(os.Getpid()) {
		t.Fatalf("the file holds %q, %v, want this process's pid", b, err)
	}
	l.pidFile.Remove()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	l.cfg.PIDFile = filepath.Join(dir, "none", "pid")
	l.publishPID() // only logs the error
	l.pidFile.Remove()
}

// A master removes only the file that it has written.
func TestRemovePIDFileOfSuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	l := &loop{cfg: Config{PIDFile: path}, log: slog.New(slog.DiscardHandler)}
	l.publishPID()
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil { // as the successor does
		t.Fatal(err)
	}
	l.pidFile.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the successor's file was removed: %v", err)
	}
}
