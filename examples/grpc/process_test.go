package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stuck is when to call something stuck.
const stuck = 20 * time.Second

// process is this example, built and run as a reader would.
type process struct {
	t    *testing.T
	addr string
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  bytes.Buffer
}

func start(t *testing.T) *process {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build the server with")
	}
	exe := filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	p := &process{t: t, addr: freeAddr(t)}
	p.cmd = exec.Command(exe, "-addr", p.addr)
	p.cmd.Stdout, p.cmd.Stderr = p, p
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

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// await waits for n lines of the log that contain text.
func (p *process) await(text string, n int) {
	p.t.Helper()
	for begin := time.Now(); strings.Count(p.String(), text) < n; time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > stuck {
			p.t.Fatalf("stuck: waited %v for %d times %q in:\n%s", stuck, n, text, p)
		}
	}
}

func (p *process) reload() {
	p.t.Helper()
	done := strings.Count(p.String(), "reload done")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	p.await("reload done", done+1)
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Signal(syscall.SIGTERM))
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the master ended with %v", err)
	}
	if p.t.Failed() {
		p.t.Log(p)
	}
}

// tally counts what clients got.
type tally struct {
	mu       sync.Mutex
	whole    int
	failures []string
}

func (c *tally) count(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failures = append(c.failures, err.Error())
		return
	}
	c.whole++
}

// mustBeWhole fails the test for any failure.
func (c *tally) mustBeWhole(t *testing.T, what string) {
	t.Helper()
	t.Logf("%d %s, %d failed", c.whole, what, len(c.failures))
	if len(c.failures) > 0 {
		t.Errorf("failed, among others: %v", c.failures[:min(5, len(c.failures))])
	}
	if c.whole == 0 {
		t.Error("there were none at all")
	}
}

// underLoad runs loops of one until the reloads are done.
func underLoad(p *process, loops, reloads int, one func() error) *tally {
	c, stop := &tally{}, make(chan struct{})
	var group sync.WaitGroup
	for range loops {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.count(one())
				}
			}
		})
	}
	for range reloads {
		p.reload()
	}
	close(stop)
	group.Wait()
	return c
}
