//go:build linux

package cluster

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

const stuck = 20 * time.Second

// programs are the binaries, by name.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("go", "build", "-o", dir, "./...").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	programs = dir
	return m.Run()
}

// program is an example that runs.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   e2etest.Output
	ended chan struct{}
}

func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(filepath.Join(programs, name), args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(p.stop)
	return p
}

// stop ends the program as a person would. It must leave with status 0.
func (p *program) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.end()
}

// end waits for the end.
func (p *program) end() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(stuck):
		_ = p.cmd.Process.Kill()
		<-p.ended
		p.t.Errorf("it doesn't end")
	}
	if !p.cmd.ProcessState.Success() {
		p.t.Errorf("it ends with %v", p.cmd.ProcessState)
	}
	if p.t.Failed() {
		p.t.Logf("it has printed:\n%s", &p.out)
	}
}

// lines waits for n lines that match, and returns the first group of each.
func (p *program) lines(n int, pattern string) (found []string) {
	p.t.Helper()
	re := regexp.MustCompile("(?m)^" + pattern + "$")
	for deadline := time.Now().Add(stuck); ; time.Sleep(2 * time.Millisecond) {
		all := re.FindAllStringSubmatch(p.out.String(), -1)
		if len(all) >= n {
			for _, m := range all {
				found = append(found, m[len(m)-1])
			}
			return found
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it doesn't print %d lines like %q", n, pattern)
		}
	}
}

const connected = `A worker is now connected to (.*)`

func get(t *testing.T, addr string) string {
	t.Helper()
	client := http.Client{Timeout: stuck, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHTTP(t *testing.T) {
	p := start(t, "http", "-addr=127.0.0.1:0")
	addrs := p.lines(runtime.NumCPU(), connected)
	pids := p.lines(runtime.NumCPU(), fmt.Sprintf("%d,Master Worker ([0-9]+) online", p.cmd.Process.Pid))
	for _, addr := range addrs {
		if addr != addrs[0] {
			t.Errorf("workers listen on %v, want one port", addrs)
		}
	}
	for range 10 {
		if s := get(t, addrs[0]); s != "hello world\n" {
			t.Errorf("it says %q", s)
		}
	}
	p.stop()
	for _, pid := range pids {
		p.lines(1, fmt.Sprintf("worker %s died", pid))
	}
}

func TestTimeouts(t *testing.T) {
	p := start(t, "timeouts", "-addr=127.0.0.1:0", "-after=1s")
	p.lines(1, "worker 1 listens")
	if n := len(p.lines(1, "Something must be wrong with the connection ...")); n != 1 {
		t.Errorf("%d complaints, want one: of the second worker", n)
	}
}

func TestRespawn(t *testing.T) {
	p := start(t, "respawn", "-addr=127.0.0.1:0")
	for i := range 3 {
		addr := p.lines(i+1, connected)[0]
		pid := strings.TrimSpace(get(t, addr))
		var n int
		if _, err := fmt.Sscan(pid, &n); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.lines(1, "worker ("+pid+`) died \(signal: killed\). restarting...`)
	}
	p.lines(4, connected)
}

func TestAnnounce(t *testing.T) {
	p := start(t, "announce")
	p.end()
	p.lines(1, "I am master")
	for id := 1; id <= 4; id++ {
		p.lines(1, fmt.Sprintf("I am worker #%d", id))
		p.lines(1, fmt.Sprintf("worker #%d receives: big announcement to all workers", id))
	}
}

func TestEcho(t *testing.T) {
	p := start(t, "echo")
	p.end()
	p.lines(1, `the worker says "hi there"`)
}

func TestRequests(t *testing.T) {
	p := start(t, "requests", "-addr=127.0.0.1:0", "-every=50ms")
	addr := p.lines(1, connected)[0]
	p.lines(1, "numReqs = 0")
	for range 20 {
		get(t, addr)
	}
	p.lines(1, "numReqs = 20")
}

func TestDisconnect(t *testing.T) {
	p := start(t, "disconnect", "-addr=127.0.0.1:0")
	c, err := net.Dial("tcp", p.lines(1, connected)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	_ = c.SetDeadline(began.Add(stuck))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection: %v", err)
	}
	if d := time.Since(began); d < 1900*time.Millisecond {
		t.Errorf("the connection was closed after %v, want the two seconds", d)
	}
	p.end()
	p.lines(1, "The worker #1 has disconnected after [2-9] s")
}
