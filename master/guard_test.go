package master

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// misbehaviour is what a function of the program may do instead of returning.
var misbehaviour = map[string]func(){
	"panics":           func() { panic("no") },
	"ends a goroutine": runtime.Goexit,
}

// An Allow that doesn't return has refused.
func TestAllowThatFails(t *testing.T) {
	for name, do := range misbehaviour {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Allow: func(*Worker, string, string) error { do(); return nil }}
			inBubble(t, cfg, func(t *testing.T, b *bench) {
				p := b.forked(t, 1)[0]
				if err := errorOf(p.listen("tcp", ":80")); err == nil || !strings.Contains(err.Error(), "Config.Allow") {
					t.Errorf("listen: %v, want an error that names Config.Allow", err)
				}
				b.wantLiving(t, 1)
			})
		})
	}
}

// Without an environment there is no worker, and an error says why.
func TestEnvThatFails(t *testing.T) {
	for name, do := range misbehaviour {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Env: func() []string { do(); return nil }, Logger: slog.New(slog.DiscardHandler)}
			if _, err := prepare(1, cfg); err == nil || !strings.Contains(err.Error(), "Config.Env") {
				t.Errorf("%v, want an error that names Config.Env", err)
			}
		})
	}
}

// An executable is not to blame for its directory.
func TestStartErrorNamesTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fromExec := &os.PathError{Op: "fork/exec", Path: "/the/executable", Err: syscall.ENOTDIR}
	err := startError(&generation{dir: file}, fromExec)
	if !strings.Contains(err.Error(), file) || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%v, want one that names %s", err, file)
	}
	if err := startError(&generation{dir: t.TempDir()}, fromExec); !errors.Is(err, fromExec) {
		t.Errorf("%v, want what exec says", err)
	}
}
