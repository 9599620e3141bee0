package master

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	l := &loop{cfg: Config{PIDFile: path}, log: slog.New(slog.DiscardHandler)}
	l.official()
	b, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(os.Getpid()) {
		t.Fatalf("it holds %q, %v", b, err)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o644 {
		t.Errorf("mode %v, want one for everybody to read", info.Mode())
	}
	l.removePIDFile()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}

	l.official()
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil { // the successor's
		t.Fatal(err)
	}
	l.removePIDFile()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another process's file was removed: %v", err)
	}

	l.cfg.PIDFile = filepath.Join(dir, "none", "pid")
	l.official() // logged, and no more
	l.removePIDFile()
}
