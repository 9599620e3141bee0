package process

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// exec reports a missing working directory as an error of the executable.
func TestStartErrorNamesTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fromExec := &os.PathError{Op: "fork/exec", Path: "/the/executable", Err: syscall.ENOTDIR}
	err := startError(file, fromExec)
	if !strings.Contains(err.Error(), file) || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%v, want an error that names %s", err, file)
	}
	if err := startError(t.TempDir(), fromExec); !errors.Is(err, fromExec) {
		t.Errorf("%v, want the error of exec", err)
	}
}

// The error of Spec.Env is that of Prepare, and the image is not made.
func TestPrepareEnvError(t *testing.T) {
	want := errors.New("no environment")
	image, err := Prepare(Spec{Env: func() ([]string, error) { return nil, want }})
	if image != nil || !errors.Is(err, want) {
		t.Errorf("Prepare returned %v, %v, want nil, %v", image, err, want)
	}
}
