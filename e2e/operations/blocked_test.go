//go:build linux

package operations

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// atOnce is how long a master may take to end at once, with some time for a busy machine.
const atOnce = 4 * time.Second

// fullPipe returns the end of a pipe that takes no more bytes, and that nobody reads.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	e2etest.NoError(t, err)
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	for _, size := range []int{1 << 20, 1} { // the second for what is left of a page
		e2etest.NoError(t, w.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		for err = nil; err == nil; {
			_, err = w.Write(make([]byte, size))
		}
	}
	return w
}

// startUnread starts two workers under a master whose standard error nobody reads, and
// returns when they are ready.
func startUnread(t *testing.T) *e2etest.Process {
	t.Helper()
	cfg := server.Quick(2)
	cfg.PIDFile = filepath.Join(t.TempDir(), "pid")
	cmd := e2etest.Command(t, "serve", cfg)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	e2etest.NoError(t, err)
	t.Cleanup(func() { _ = null.Close() })
	cmd.Stdout, cmd.Stderr = null, fullPipe(t)
	p := e2etest.Run(t, cmd)
	e2etest.WaitFor(t, "the PID file", func() bool { return e2etest.Exists(cfg.PIDFile) })
	return p
}

// workersOf returns the pids of a master's workers: it may have written nothing.
func workersOf(p *e2etest.Process) []int { return e2etest.WorkersOf(p.PID()) }

// waitReplaced waits until other workers have the place of old.
func waitReplaced(t *testing.T, p *e2etest.Process, old []int) {
	t.Helper()
	e2etest.WaitFor(t, "other workers", func() bool {
		now := workersOf(p)
		return len(now) == len(old) && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(old, pid) })
	})
}

// A master whose standard error nobody reads starts workers again, reloads, and stops.
func TestNobodyReadsStderr(t *testing.T) {
	t.Parallel()
	p := startUnread(t)
	old := workersOf(p)
	if len(old) != 2 {
		t.Fatalf("workers %v, want two", old)
	}
	for _, pid := range old {
		e2etest.Kill(t, pid)
	}
	waitReplaced(t, p, old)
	old = workersOf(p)
	p.Signal(syscall.SIGHUP)
	waitReplaced(t, p, old)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// INT INT ends it at once.
func TestNobodyReadsStderrAtOnce(t *testing.T) {
	t.Parallel()
	p := startUnread(t)
	begin := time.Now()
	during(time.Second/2, 50*time.Millisecond, func() { _ = p.Cmd.Process.Signal(syscall.SIGINT) }) // several may be one
	p.Wait()
	if took := time.Since(begin); took > atOnce {
		t.Errorf("it took %v", took)
	}
}

// A PID file that has become a FIFO doesn't hold up the end.
func TestPIDFileBecomesFIFO(t *testing.T) {
	cfg := server.Quick(1)
	cfg.PIDFile = filepath.Join(t.TempDir(), "pid")
	p := e2etest.Start(t, "serve", cfg)
	e2etest.WaitFor(t, "the PID file", func() bool { return e2etest.Exists(cfg.PIDFile) })
	e2etest.NoError(t, os.Remove(cfg.PIDFile))
	e2etest.NoError(t, syscall.Mkfifo(cfg.PIDFile, 0o600))
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// A descriptor of a worker whose close blocks, as nobody takes the bytes of a connection with
// SO_LINGER, holds up nothing: it came with a message that nobody has subscribed to, and is
// closed when the worker has died.
func TestWorkerSendsWhatCloseBlocksOn(t *testing.T) {
	p := e2etest.Start(t, "operated", server.Quick(1))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	e2etest.NoError(t, err)
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := ln.Accept()
		accepted <- c
	}()
	res, err := http.Get("http://" + p.Addr() + "/linger?to=" + ln.Addr().String())
	e2etest.NoError(t, err)
	_ = res.Body.Close()
	if c := e2etest.Await(t, "connection", accepted); c != nil {
		defer c.Close()
	}
	old := workersOf(p)
	for _, pid := range old {
		e2etest.Kill(t, pid)
	}
	waitReplaced(t, p, old)
	p.WaitLog(e2etest.WorkerReady, 2)
	p.Reload()
	p.Signal(syscall.SIGTERM)
	begin := time.Now()
	p.Wait()
	if took := time.Since(begin); took > atOnce {
		t.Errorf("the stop took %v", took)
	}
}
