//go:build linux

package upgrade

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/health"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// healthy is Serve with a master whose health is served at the two addresses of the flags.
func healthy() {
	web, agent, _ := strings.Cut(os.Getenv(e2etest.FlagsEnv), " ")
	rota.OnMaster(health.Serve(health.Config{HTTP: web, Agent: agent}))
	server.Serve()
}

// checker asks for the health of a master, as a load balancer does.
type checker struct {
	web, agent string // a unix socket, and an address
}

// get returns the status of an HTTP check.
func (c checker) get(path string) (int, error) { return c.do("GET", path) }

func (c checker) do(method, path string) (int, error) {
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", c.web)
	}}
	r, err := http.NewRequest(method, "http://health"+path, nil)
	if err != nil {
		return 0, err
	}
	answer, err := tr.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// line returns the answer of an agent-check.
func (c checker) line() (string, error) {
	conn, err := net.DialTimeout("tcp", c.agent, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := io.ReadAll(conn)
	return strings.TrimSpace(string(line)), err
}

// watch checks until stop is called, which returns how many checks there were. Each must say
// that the host is well.
func (c checker) watch(t *testing.T) (stop func() int) {
	done, n := make(chan struct{}), 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; ; n++ {
			select {
			case <-done:
				return
			default:
			}
			status, err := c.get("/readyz")
			if status != 200 || err != nil {
				t.Errorf("check %d: status %d, %v", n, status, err)
				return
			}
			if line, err := c.line(); !strings.HasPrefix(line, "ready up ") || err != nil {
				t.Errorf("agent-check %d: %q, %v", n, line, err)
				return
			}
		}
	})
	return func() int { close(done); wg.Wait(); return n }
}

// waitLine waits until the agent says want.
func (c checker) waitLine(t *testing.T, p *e2etest.Process, want string) {
	t.Helper()
	var line string
	var err error
	e2etest.WaitFor(t, "the agent to say "+want, func() bool { line, err = c.line(); return line == want },
		func() string { return fmt.Sprintf("%q, %v\n%s", line, err, p.Log) })
}

// Not one check fails through upgrades of the master and reloads, over TCP and at a unix socket.
// An upgrade keeps a drain, until it is taken back. In a stop, the checks say so until the master has ended.
func TestHealthThroughUpgrades(t *testing.T) {
	t.Parallel()
	c := checker{filepath.Join(e2etest.ShortDir(t), "h"), e2etest.FreeAddress(t)}
	cfg := server.Quick(2)
	cfg.StopDelay = 2 * time.Second
	p := e2etest.Start(t, "healthy", cfg, e2etest.FlagsEnv+"="+c.web+" "+c.agent)
	c.waitLine(t, p, "ready up 100%")

	n := 5
	if testing.Short() {
		n = 2
	}
	stop := c.watch(t)
	for range n {
		p.Upgrade()
		p.Reload()
	}
	if checks := stop(); checks < n {
		t.Errorf("%d checks", checks)
	} else {
		t.Logf("%d checks of each kind through %d upgrades and reloads", checks, n)
	}

	if status, err := c.do("POST", "/drain"); status != 200 || err != nil {
		t.Fatalf("drain: %d, %v", status, err)
	}
	c.waitLine(t, p, "drain")
	p.Upgrade()
	for range 20 {
		if line, err := c.line(); line != "drain" {
			t.Errorf("drained, after an upgrade: %q, %v", line, err)
		}
	}
	if status, err := c.do("DELETE", "/drain"); status != 200 || err != nil {
		t.Errorf("the end of the drain: %d, %v", status, err)
	}
	c.waitLine(t, p, "ready up 100%")

	p.Signal(syscall.SIGTERM)
	c.waitLine(t, p, "drain")
	if status, err := c.get("/readyz"); status != 503 || err != nil {
		t.Errorf("/readyz in a stop: %d, %v, want 503", status, err)
	}
	if status, err := c.get("/livez"); status != 200 || err != nil {
		t.Errorf("/livez in a stop: %d, %v, want 200", status, err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if e2etest.Exists(c.web) {
		t.Error("the file of the unix socket is left")
	}
}

// A new master that fails changes nothing of the checks.
func TestHealthThroughFailedUpgrade(t *testing.T) {
	t.Parallel()
	c := checker{filepath.Join(e2etest.ShortDir(t), "h"), e2etest.FreeAddress(t)}
	gone := filepath.Join(t.TempDir(), "gone")
	e2etest.NoError(t, os.Mkdir(gone, 0o755))
	cmd := e2etest.Command(t, "healthy", server.Quick(1), e2etest.FlagsEnv+"="+c.web+" "+c.agent)
	cmd.Dir = gone
	p := e2etest.Run(t, cmd)
	c.waitLine(t, p, "ready up 100%")
	stop := c.watch(t)
	e2etest.NoError(t, os.Remove(gone))
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.UpgradeFailed, 1)
	if stop() == 0 {
		t.Error("no check")
	}
	c.waitLine(t, p, "ready up 100%")
}

// Health that can't be served is a line in the log; the program serves.
func TestHealthAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	e2etest.NoError(t, err)
	defer taken.Close()
	p := e2etest.Start(t, "healthy", server.Quick(1), e2etest.FlagsEnv+"= "+taken.Addr().String())
	p.WaitLog(e2etest.HealthNotServed, 1)
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
}
