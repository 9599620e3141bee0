//go:build linux

package service

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestReload is the test of a reload in docs/service.md, of examples/hello.
func TestReload(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", exe, "../../examples/hello").CombinedOutput(); err != nil {
		t.Skipf("go build: %v: %s", err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	server := exec.Command(exe, "-addr", addr)
	server.Env = append(server.Environ(), "ROTA=on")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Signal(syscall.SIGTERM); _ = server.Wait() }()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // makes no request twice
	var answers []string                                                       // different ones, in order
	for start := time.Now(); len(answers) < 2; {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("after ten seconds the answers are %q", answers)
		}
		r, err := client.Get("http://" + addr)
		if err != nil {
			if len(answers) > 0 {
				t.Fatal(err) // a request is lost
			}
			time.Sleep(10 * time.Millisecond) // it starts
			continue
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(answers) == 0 {
			_ = server.Process.Signal(syscall.SIGHUP)
		}
		if answer := string(body); len(answers) == 0 || answers[len(answers)-1] != answer {
			answers = append(answers, answer)
		}
	}
}
