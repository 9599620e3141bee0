package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pidFile is a PIDFile whose file can be written.
func pidFile(t *testing.T) *PIDFile { return &PIDFile{Failed: func(err error) { t.Error(err) }} }

func TestPIDFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	p := pidFile(t)
	p.Write(path)
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
	p := pidFile(t)
	p.Write(path)
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
	p := pidFile(t)
	p.Write(path)
	p.Disown()
	p.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file was removed: %v", err)
	}
}

// The file that another process has left is removed if it has another name than this one's, which may have none.
func TestPIDFileReplaces(t *testing.T) {
	for name, tc := range map[string]struct {
		path, holds, left string
	}{
		"another file":    {"new", "1", "new"},
		"none":            {"", "1", ""},
		"the same file":   {"old", "1", "old"},
		"another process": {"new", "2", "new old"},
		"no directory":    {"none/new", "1", "old"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("old", []byte(tc.holds), 0o644); err != nil {
				t.Fatal(err)
			}
			p := PIDFile{Failed: func(error) {}}
			p.Replaces(Written{"old", 1})
			p.Write(tc.path)
			if left, _ := filepath.Glob("*"); strings.Join(left, " ") != tc.left {
				t.Errorf("%q are left, want %s", left, tc.left)
			}
		})
	}
}

func TestPIDFileWithoutDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "pid")
	var err error
	p := PIDFile{Failed: func(e error) { err = e }}
	p.Write(path)
	if err == nil || !strings.Contains(err.Error(), "PID file") {
		t.Errorf("Write has failed with %v, want an error that names the PID file", err)
	}
	p.Remove()
}
