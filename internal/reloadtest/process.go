// Package reloadtest builds a program as its reader would, runs it, reloads it under
// load, and counts what got no whole answer. It is for programs that are modules of
// their own, whose dependencies the library doesn't have: examples/grpc and its like.
// Output is for every test that runs a process.
package reloadtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Stuck is when to call something stuck.
const Stuck = 20 * time.Second

// Process is a program that runs.
type Process struct {
	Addr string // what it was given as -addr

	t   *testing.T
	cmd *exec.Cmd
	log Output
}

// Start builds the program in this directory and runs it until its first worker is
// ready. The end of the test stops it.
func Start(t *testing.T) *Process {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build the server with")
	}
	exe := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	p := &Process{t: t, Addr: freeAddr(t)}
	p.cmd = exec.Command(exe, "-addr", p.Addr)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	p.await("worker ready", 1)
	return p
}

// freeAddr is one that nobody has, below those that the kernel gives to clients: one of
// them could have it before the server.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprint("127.0.0.1:", 10_000+rand.IntN(22_000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// await waits for n lines of the log that contain text.
func (p *Process) await(text string, n int) {
	p.t.Helper()
	for begin := time.Now(); p.log.Count(text) < n; time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > Stuck {
			p.t.Fatalf("stuck: waited %v for %d times %q in:\n%s", Stuck, n, text, &p.log)
		}
	}
}

// Reload reloads the program, and returns when that is done.
func (p *Process) Reload() {
	p.t.Helper()
	done := p.log.Count("reload done")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	p.await("reload done", done+1)
}

func (p *Process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it has ended, and Wait says how
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the master ended with %v", err)
	}
	if p.t.Failed() {
		p.t.Log(&p.log)
	}
}
