package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
)

// plain is a server without rota that takes its socket as systemd's services do, and shuts down
// at TERM. With the flags it says READY=1, or ignores TERM.
func plain() {
	if pid := os.Getenv("LISTEN_PID"); pid != strconv.Itoa(os.Getpid()) {
		log.Fatalf("LISTEN_PID is %s in process %d", pid, os.Getpid())
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGUSR1) // before it counts as ready, which it does as soon as package net polls the socket
	file := os.NewFile(3, "")
	ln, err := net.FileListener(file)
	if err != nil {
		log.Fatal(err)
	}
	file.Close()
	flags := os.Getenv(e2etest.FlagsEnv)
	if flags == "notify" {
		time.AfterFunc(300*time.Millisecond, sayReady)
	}
	srv := &http.Server{Handler: http.HandlerFunc(answer)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := range term {
			if s == syscall.SIGUSR1 {
				fmt.Println("logs are opened again")
			} else if flags != "deaf" {
				_ = srv.Shutdown(context.Background())
				return
			}
		}
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-ended
}

// answer answers as server.Answer does, without a worker.
func answer(w http.ResponseWriter, r *http.Request) {
	if d, err := time.ParseDuration(r.FormValue("sleep")); err == nil {
		fmt.Println("handling", r.RequestURI)
		time.Sleep(d)
	}
	fmt.Fprintf(w, "generation %s worker 0 pid %d\n", cmp.Or(os.Getenv("SERVER_STARTER_GENERATION"), "0"), os.Getpid())
}

func sayReady() {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("says that it is ready")
	fmt.Fprint(c, "STATUS=serving\nREADY=1\n")
}

// runPlain starts plain under "rota run".
func runPlain(t *testing.T, flags string, args ...string) *e2etest.Process {
	t.Helper()
	cmd := e2etest.Command(t, "plain", struct{}{}, e2etest.FlagsEnv+"="+flags)
	return runCommand(t, cmd.Env, append(args, "--", cmd.Path)...)
}

// runCommand starts "rota run" with short trials.
func runCommand(t *testing.T, env []string, args ...string) *e2etest.Process {
	t.Helper()
	cmd := exec.Command(theCommand(t), append([]string{"run", "-b", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(env, "ROTA_MIN_UPTIME=50ms", "ROTA_WORKERS=2")
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 2)
	return p
}

const nodeServer = `
const server = require('http').createServer((req, res) => res.end('generation ' + process.env.SERVER_STARTER_GENERATION + ' worker 0 pid ' + process.pid));
server.listen({fd: 3});
process.on('SIGTERM', () => server.close());
`

const pythonServer = `
import http.server, os, signal, socket, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ('generation %s worker 0 pid %d' % (os.environ['SERVER_STARTER_GENERATION'], os.getpid())).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler, bind_and_activate=False)
server.daemon_threads = False
server.socket = socket.socket(fileno=3)
signal.signal(signal.SIGTERM, lambda *a: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.02)
server.server_close()
`

// Programs that know nothing of rota are reloaded under load of one request a connection, and
// beside them the Go program with the one line. Nobody is refused. What is lost is at the edge
// of each program's own drain, and is printed; with the one line it is nothing.
func TestRunReload(t *testing.T) {
	t.Parallel()
	script := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		e2etest.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	goProgram := e2etest.Command(t, "plain", struct{}{})
	for name, command := range map[string][]string{
		"Go":     {goProgram.Path},
		"Node":   {"node", script("server.js", nodeServer)},
		"Python": {"python3", script("server.py", pythonServer)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skip(err)
			}
			p := runCommand(t, goProgram.Env, append([]string{"-n", "4", "--"}, command...)...)
			reloads(t, p, "rota run, "+name)
		})
	}
	t.Run("the one line", func(t *testing.T) {
		t.Parallel()
		p := e2etest.Run(t, e2etest.Command(t, "line", struct{}{}, "ROTA_WORKERS=4", "ROTA_MIN_UPTIME=50ms"))
		if r := reloads(t, p, "rota.Listen, Go"); r.Failed > 0 {
			t.Errorf("%d failed: %v", r.Failed, r.First)
		}
	})
}

// reloads reloads four workers under load, 20 times in a long run.
func reloads(t *testing.T, p *e2etest.Process, name string) e2etest.Result {
	t.Helper()
	p.WaitLog(e2etest.WorkerReady, 4)
	load := e2etest.StartLoad(p.Addr(), "/", 4)
	n := e2etest.Times(20, 3)
	for range n {
		load.Goes(t, 50)
		p.Reload()
	}
	load.Goes(t, 50)
	r := load.End()
	t.Logf("%s, %d reloads: %v %v", name, n, r, r.First)
	if r.Refused > 0 || r.Failed > r.Answered/10 {
		t.Errorf("%d refused, %d failed", r.Refused, r.Failed)
	}
	return r
}

// line is plain with the one line, and nothing else.
func line() {
	ln, err := rota.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(ln, http.HandlerFunc(answer)))
}

// A program is told to leave, finishes its request, and the server ends with status 0. SIGUSR1
// reaches it.
func TestRunStop(t *testing.T) {
	t.Parallel()
	p := runPlain(t, "")
	p.Signal(syscall.SIGUSR1)
	p.WaitOutput("logs are opened again", 2)
	answered := make(chan error, 1)
	go func() {
		_, err := e2etest.Request("tcp", p.Addr(), "/?sleep=300ms")
		answered <- err
	}()
	p.WaitOutput("handling", 1)
	p.Signal(syscall.SIGTERM)
	if err := <-answered; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// slowScript handles SIGUSR1 half a second after its start.
const slowScript = `
echo the script begins
sleep 0.5
trap 'echo logs are opened again' USR1
trap 'exit 0' TERM
while :; do sleep 0.05; done
`

// SIGUSR1 waits until a program is ready: it would kill one that doesn't handle it yet, and end the
// server, or have a reload fail.
func TestRunHoldsUSR1(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(theCommand(t), "run", "-b", "127.0.0.1:0", "-ready", "1500ms", "--", "sh", "-c", slowScript)
	cmd.Env = append(os.Environ(), "ROTA_MIN_UPTIME=50ms", "ROTA_WORKERS=1")
	p := e2etest.Run(t, cmd)
	p.WaitOutput("the script begins", 1)
	p.Signal(syscall.SIGUSR1)
	p.WaitOutput("logs are opened again", 1)
	p.Signal(syscall.SIGHUP)
	p.WaitOutput("the script begins", 2)
	p.Signal(syscall.SIGUSR1)
	p.WaitOutput("logs are opened again", 3)
	p.WaitLog(e2etest.ReloadDone, 1)
}

// A program that doesn't leave is killed at the end of the grace.
func TestRunKillsAfterGrace(t *testing.T) {
	t.Parallel()
	cmd := e2etest.Command(t, "plain", struct{}{}, e2etest.FlagsEnv+"=deaf", "ROTA_STOP_GRACE=200ms", "ROTA_KILL_AFTER=nolimit")
	p := runCommand(t, cmd.Env, "--", cmd.Path)
	p.Signal(syscall.SIGTERM)
	if status := p.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	p.LeavesNothing()
}

// A program that dies is started anew, and the log has its status. One whose worker is killed
// dies with it. The sockets stay as they are.
func TestRunCrash(t *testing.T) {
	p := runPlain(t, "")
	pids := programs(t, p)
	e2etest.Kill(t, pids[0])
	p.WaitLog(e2etest.WorkerDied, 1)
	if !p.LoggedTogether(e2etest.WorkerDied, "exit status 137") {
		t.Error("the log doesn't have the program's status")
	}
	p.WaitLog(e2etest.WorkerReady, 3)
	worker := e2etest.WorkersOf(p.PID())[0]
	program := e2etest.ChildrenOf(worker)[0]
	e2etest.Kill(t, worker)
	e2etest.WaitFor(t, "the end of the program", func() bool { return !e2etest.Alive(program) })
	p.WaitLog(e2etest.WorkerReady, 4)
	if _, err := e2etest.Request("tcp", p.Addr(), "/"); err != nil {
		t.Error(err)
	}
	for _, pid := range programs(t, p) {
		e2etest.SocketsAreSafe(t, pid)
	}
}

// programs returns the pids of the programs.
func programs(t *testing.T, p *e2etest.Process) (pids []int) {
	for _, w := range e2etest.WorkersOf(p.PID()) {
		pids = append(pids, e2etest.ChildrenOf(w)...)
	}
	if len(pids) != 2 {
		t.Fatalf("programs %v", pids)
	}
	return pids
}

// A program may say itself when it is ready. The sockets for that are removed.
func TestRunNotify(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := e2etest.Command(t, "plain", struct{}{}, e2etest.FlagsEnv+"=notify", "TMPDIR="+temp)
	p := runCommand(t, cmd.Env, "-ready", "notify", "--", cmd.Path)
	if said, ready := strings.Index(p.Log.String(), "says that it is ready"), strings.Index(p.Log.String(), "worker ready"); said < 0 || said > ready {
		t.Error("a worker was ready before its program")
	}
	p.Reload()
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// A release that doesn't accept is rolled back.
func TestRunBrokenRelease(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "server")
	cmd := e2etest.Command(t, "plain", struct{}{}, "ROTA_READY_TIMEOUT=500ms")
	e2etest.NoError(t, os.Symlink(cmd.Path, path))
	p := runCommand(t, cmd.Env, "--", path)
	for _, broken := range []string{"#!/bin/sh\nexit 3\n", "#!/bin/sh\nsleep 60\n"} {
		load := e2etest.StartLoad(p.Addr(), "/", 4)
		e2etest.NoError(t, os.Remove(path))
		e2etest.NoError(t, os.WriteFile(path, []byte(broken), 0o755))
		n := p.Logged(e2etest.ReloadFailed)
		p.Signal(syscall.SIGHUP)
		p.WaitLog(e2etest.ReloadFailed, n+1)
		load.MustBeWhole(t)
	}
}

// SIGUSR1 is held before package rota says hello to the master, which sends it then.
func TestRunHoldsReopenFirst(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(theCommand(t), "help")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	e2etest.NoError(t, err)
	holds, hello := strings.Index(string(out), "rota/cmd/rota/internal/reopen"), strings.Index(string(out), "rota/internal/workerproc")
	if holds < 0 || hello < 0 || holds > hello {
		t.Errorf("package reopen is initialised at %d, and workerproc at %d, of\n%s", holds, hello, out)
	}
}

// SIGUSR1 that comes at any moment after a program's worker was started reaches that program.
func TestRunReopensWhileItStarts(t *testing.T) {
	t.Parallel()
	p := runPlain(t, "")
	for i := range 10 {
		e2etest.WaitFor(t, "the old workers to end", func() bool { return len(e2etest.WorkersOf(p.PID())) == 2 })
		n := p.Log.Count("logs are opened again")
		e2etest.NoError(t, syscall.Kill(p.PID(), syscall.SIGHUP))
		p.WaitLog(e2etest.ReloadStarts, i+1)
		e2etest.WaitFor(t, "the new worker", func() bool { return len(e2etest.WorkersOf(p.PID())) == 3 })
		e2etest.NoError(t, syscall.Kill(p.PID(), syscall.SIGUSR1))
		p.WaitLog(e2etest.ReloadDone, i+1)
		p.WaitOutput("logs are opened again", n+3)
	}
}
