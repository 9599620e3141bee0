package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	var p PIDFile
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(os.Getpid()) {
		t.Fatalf("the file holds %q, %v, want this process's pid", b, err)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o644 {
		t.Errorf("the file has mode %v, want it readable for everybody", info.Mode())
	}
	p.Remove()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// The file of another process, the successor's say, is left alone.
func TestPIDFileOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	var p PIDFile
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another process's file was removed: %v", err)
	}
}

// A file that is left to another process stays, whatever it holds.
func TestPIDFileDisowned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	var p PIDFile
	if err := p.Write(path); err != nil {
		t.Fatal(err)
	}
	p.Disown()
	p.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file was removed: %v", err)
	}
}

func TestPIDFileWithoutDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "pid")
	var p PIDFile
	if err := p.Write(path); err == nil || !strings.Contains(err.Error(), "PID file") {
		t.Errorf("Write returned %v, want an error that names the PID file", err)
	}
	p.Remove()
}
