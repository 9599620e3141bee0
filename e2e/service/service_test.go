//go:build linux

package service

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

func TestMain(m *testing.M) {
	nothing := func(master.Config) error { return nil } // the programs have their own Setup
	os.Exit(e2etest.Main(m, nothing, map[string]func(){
		"logs": logs, "shutdown": shutdown, "debug": debugPort, "database": database, "jobs": jobs, "shared": shared,
	}))
}

// start starts a program with two workers and short trials.
func start(t *testing.T, name, flags string, args ...string) *e2etest.Process {
	t.Helper()
	cmd := e2etest.Command(t, name, master.Config{}, e2etest.FlagsEnv+"="+flags,
		"ROTA_WORKERS=2", "ROTA_MIN_UPTIME=50ms")
	cmd.Args = append(cmd.Args, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 2)
	return p
}

// reloadUnderLoad reloads p twice, and no request fails.
func reloadUnderLoad(t *testing.T, p *e2etest.Process, addr string) {
	t.Helper()
	load := e2etest.StartLoad(addr, "/", 8)
	load.AddKeepAlive(addr, e2etest.Get("/"), 8, time.Millisecond)
	for range 2 {
		load.Goes(t, 100)
		p.Reload()
	}
	load.Goes(t, 100)
	load.MustBeWhole(t)
}

// The lines of workers are JSON with the worker's id.
func TestLogs(t *testing.T) {
	t.Parallel()
	p := start(t, "logs", "")
	reloadUnderLoad(t, p, p.Addr())
	p.Signal(syscall.SIGTERM)
	p.Wait()
	ids := map[int]bool{}
	for line := range strings.Lines(p.Log.String()) {
		var l struct {
			Msg    string
			Worker int
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "serving" {
			ids[l.Worker] = true
		}
	}
	if len(ids) != 6 || ids[0] {
		t.Errorf("workers %v have logged, want 6 of them, each with its id", ids)
	}
}

// Handlers for TERM and Shutdown work as they stand: each worker cleans up, once.
func TestShutdown(t *testing.T) {
	t.Parallel()
	p := start(t, "shutdown", "")
	reloadUnderLoad(t, p, p.Addr())
	busy := p.InFlight("/?sleep=200ms")
	p.Signal(syscall.SIGTERM)
	if err := <-busy; err != nil {
		t.Errorf("the request in flight at TERM: %v", err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if n := p.Log.Count("database closed"); n != 6 {
		t.Errorf("%d workers have cleaned up, want 6:\n%v", n, p.Log)
	}
}

// Each worker has a port for profiles of its own, before and after a reload.
func TestDebugPort(t *testing.T) {
	t.Parallel()
	port, addr := twoPorts(t), e2etest.FreeAddress(t)
	p := start(t, "debug", "", "-addr", addr, "-debug", strconv.Itoa(port))
	reloadUnderLoad(t, p, addr)
	for slot := range 2 {
		body, err := get(fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/cmdline", port+slot))
		if err != nil || !strings.Contains(body, "-debug") {
			t.Errorf("the port of slot %d: %q, %v", slot, body, err)
		}
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
}

// twoPorts returns a port that is free, as is the next.
func twoPorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		port, err := strconv.Atoi(e2etest.FreePort(t))
		e2etest.NoError(t, err)
		if ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1)); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no two free ports side by side")
	return 0
}

var client = http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

func get(url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

// All workers of all generations together keep to the limit of the database.
func TestDatabase(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	e2etest.NoError(t, err)
	defer ln.Close()
	var most, open atomic.Int64
	go countConns(ln, &most, &open)
	p := start(t, "database", ln.Addr().String())
	reloadUnderLoad(t, p, p.Addr())
	p.Signal(syscall.SIGTERM)
	p.Wait()
	t.Log("at most", most.Load(), "connections")
	if n := most.Load(); n > 20 || n < 8 {
		t.Errorf("%d connections at a time, want at most 20, and 4 for each of 2 workers", n)
	}
}

// countConns accepts connections until ln is closed, and keeps how many there are.
func countConns(ln net.Listener, most, open *atomic.Int64) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		most.Store(max(most.Load(), open.Add(1)))
		go func() {
			_, _ = io.Copy(io.Discard, c)
			open.Add(-1)
			c.Close()
		}()
	}
}

// One worker sends reports, and after a reload one of the new ones.
func TestJobs(t *testing.T) {
	t.Parallel()
	p := start(t, "jobs", "", "-every", "20ms")
	p.WaitOutput("report by worker", 3)
	p.Reload()
	p.WaitLog(e2etest.WorkerLeft, 2)
	n := p.Log.Count("report by worker")
	p.WaitOutput("report by worker", n+3)
	var order []string
	for _, m := range regexp.MustCompile(`report by worker (\d+)`).FindAllStringSubmatch(p.Log.String(), -1) {
		if len(order) == 0 || order[len(order)-1] != m[1] {
			order = append(order, m[1])
		}
	}
	if last, _ := strconv.Atoi(order[len(order)-1]); len(order) > 3 || last < 3 {
		t.Errorf("reports came from the workers %v: want one after the other", order)
	}
	p.Signal(syscall.SIGTERM)
	p.Wait()
}

// What is written through one worker, all workers answer.
func TestShared(t *testing.T) {
	t.Parallel()
	p := start(t, "shared", t.TempDir())
	for i := range 3 {
		if i == 2 {
			p.Reload()
		}
		asked := map[string]bool{}
		e2etest.WaitFor(t, "both workers to have the key in their caches", func() bool { return ask(t, p, asked) == 2 })
		value := fmt.Sprint("value ", i)
		r, err := http.NewRequest("PUT", "http://"+p.Addr()+"/key?value="+url.QueryEscape(value), nil)
		e2etest.NoError(t, err)
		answer, err := client.Do(r)
		e2etest.NoError(t, err)
		answer.Body.Close()
		got := map[string]bool{}
		e2etest.WaitFor(t, "both workers to answer "+value, func() bool {
			body, err := e2etest.Request("tcp", p.Addr(), "/key")
			e2etest.NoError(t, err)
			if v, pid, _ := strings.Cut(body, " from process "); v == value {
				got[pid] = true
			}
			return len(got) == 2
		})
	}
}

// ask asks for the key, and returns how many workers that run have answered.
func ask(t *testing.T, p *e2etest.Process, asked map[string]bool) (n int) {
	body, err := e2etest.Request("tcp", p.Addr(), "/key")
	e2etest.NoError(t, err)
	_, pid, _ := strings.Cut(body, " from process ")
	asked[pid] = true
	for _, child := range p.Children() {
		if asked[strconv.Itoa(child)] {
			n++
		}
	}
	return n
}
