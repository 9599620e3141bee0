package controlclient

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/control"
)

// serve answers one client at a path with text.
func serve(t *testing.T, text string) (path string) {
	path = filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, control.MaxRequest))
		_, _ = c.Write([]byte(text))
		if text != "" {
			_ = c.Close()
		}
	}()
	return path
}

func TestDo(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		code         control.Code
		lines        int
		err          error
	}{
		{"done", "{\"progress\":{\"event\":\"phase\"}}\n\n{\"result\":{\"code\":\"done\"}}\n", control.Done, 1, nil},
		{"denied", "{\"result\":{\"code\":\"denied\"}}\n", control.Denied, 0, ErrDenied},
		{"the master ends", "{\"progress\":{\"event\":\"phase\"}}\n", "", 1, ErrEnded},
	} {
		lines := 0
		r, err := Do(t.Context(), serve(t, tc.answer), control.Request{Do: control.Reload}, func(control.Reply) { lines++ })
		if r.Code != tc.code || !errors.Is(err, tc.err) || lines != tc.lines {
			t.Errorf("%s: %+v, %v after %d lines", tc.name, r, err, lines)
		}
	}
	if _, err := Do(t.Context(), serve(t, "HTTP/1.1 200 OK\r\n"), control.Request{}, nil); err == nil || errors.Is(err, ErrEnded) {
		t.Errorf("another protocol: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Do(ctx, serve(t, ""), control.Request{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a master that says nothing: %v", err)
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), filepath.Join("client_test.go", "s"), "client_test.go"} {
		if _, err := Do(t.Context(), path, control.Request{}, nil); !errors.Is(err, ErrNoMaster) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestFind(t *testing.T) {
	env := map[string]string{"RUNTIME_DIRECTORY": "/run/app:/run/b"}
	getenv := func(name string) string { return env[name] }
	for _, want := range []string{"/run/app/rota.sock", "/run/x"} {
		if got, err := Find("", 0, getenv); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		env["ROTA_CONTROL"] = "/run/x"
	}
	if got, _ := Find("/run/y", 0, getenv); got != "/run/y" {
		t.Errorf("-socket: %q", got)
	}
	for _, pid := range []int{0, 1 << 30} {
		if _, err := Find("", pid, func(string) string { return "" }); !errors.Is(err, ErrNoMaster) {
			t.Errorf("pid %d: %v", pid, err)
		}
	}
}

// The socket of a process is found by what it has bound, and else by its environment.
func TestOfProcess(t *testing.T) {
	proc := t.TempDir()
	dir := filepath.Join(proc, "17")
	for _, d := range []string{"net", "fd"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("environ", "A=B\x00RUNTIME_DIRECTORY=/run/app\x00")
	if got, err := ofProcess(proc, 17); got != "/run/app/rota.sock" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	write("net/unix", "Num RefCount Protocol Flags Type St Inode Path\n"+
		"0000: 00000002 00000000 00010000 0001 01 123 /run/app.sock\n0000: 00000002 00000000 00010000 0001 01 456 /run/c.sock.new\n")
	if err := os.Symlink("socket:[456]", filepath.Join(dir, "fd/7")); err != nil {
		t.Fatal(err)
	}
	if got, err := ofProcess(proc, 17); got != "/run/c.sock" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestClean(t *testing.T) {
	if got := Clean("a\x1b[2Jb\n\tc"); got != "a?[2Jb\n\tc" {
		t.Errorf("%q", got)
	}
}
