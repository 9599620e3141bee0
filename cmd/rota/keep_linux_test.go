package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/master"
)

// built is the directory that theCommand has built in, or "".
var built struct {
	sync.Mutex
	dir string
}

// theCommand builds the command rota once for all tests, and returns its path.
func theCommand(t *testing.T) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "rota-test-")
		e2etest.NoError(t, err)
		e2etest.NoError(t, os.Rename(e2etest.Build(t, "."), filepath.Join(dir, "rota")))
		built.dir = dir
	}
	return filepath.Join(built.dir, "rota")
}

// keptServer is a server with a keeper.
type keptServer struct {
	*e2etest.Process
	t *testing.T
}

// keepLine starts the program with the one line under "rota keep".
func keepLine(t *testing.T, workers int, env ...string) *keptServer {
	t.Helper()
	return keepHelper(t, "line", workers, env...)
}

func keepHelper(t *testing.T, helper string, workers int, env ...string) *keptServer {
	t.Helper()
	cmd := e2etest.Command(t, helper, struct{}{}, env...)
	return keepArgs(t, cmd.Env, workers, "keep", "--", cmd.Path)
}

// keepArgs starts a command of rota that is a keeper, and waits until its workers are ready.
func keepArgs(t *testing.T, env []string, workers int, args ...string) *keptServer {
	t.Helper()
	k := launchKept(t, env, workers, args...)
	k.WaitLog(e2etest.WorkerReady, workers)
	e2etest.WaitFor(t, "the keeper to have a record", func() bool { return strings.Contains(descriptors(k.keeper()), "rota record") })
	return k
}

// descriptors returns what the descriptors of a process are.
func descriptors(pid int) (all string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, l := range links {
		target, _ := os.Readlink(l)
		all += target + "\n"
	}
	return all
}

func launchKept(t *testing.T, env []string, workers int, args ...string) *keptServer {
	t.Helper()
	cmd := exec.Command(theCommand(t), args...)
	cmd.Env = append(env, "ROTA_MIN_UPTIME=50ms", "ROTA_WORKERS="+strconv.Itoa(workers))
	k := &keptServer{e2etest.Run(t, cmd), t}
	t.Cleanup(k.stop)
	return k
}

// keeper returns the keeper's pid.
func (k *keptServer) keeper() int { return k.Cmd.Process.Pid }

// stop ends the server.
func (k *keptServer) stop() {
	select {
	case <-k.Ended:
	default:
		k.signal(syscall.SIGTERM)
		k.Wait()
	}
}

// signal sends a signal to the keeper.
func (k *keptServer) signal(s syscall.Signal) { _ = syscall.Kill(k.keeper(), s) }

var masterPattern = regexp.MustCompile(`rota: master pid=(\d+)`)

// masters returns the pids of all masters that there were.
func (k *keptServer) masters() (pids []int) {
	for _, m := range masterPattern.FindAllStringSubmatch(k.Log.String(), -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

// master returns the pid of the master that was started last.
func (k *keptServer) master() int {
	all := k.masters()
	return all[len(all)-1]
}

// crash kills the master, and waits until the workers of the next one are ready.
func (k *keptServer) crash(workers int) {
	k.t.Helper()
	n, masters := k.Logged(e2etest.WorkerReady), len(k.masters())
	e2etest.Kill(k.t, k.master())
	k.WaitLog(e2etest.WorkerReady, n+workers)
	if now := len(k.masters()); now != masters+1 {
		k.t.Fatalf("%d masters, and %d before the crash", now, masters)
	}
}

// Masters are killed under load of one request a connection. Nobody is refused, and with the one line
// no request is lost. So it is with a program that knows nothing of rota, but for what its own
// drain loses.
func TestKeepUnderLoad(t *testing.T) {
	t.Parallel()
	plain := e2etest.Command(t, "plain", struct{}{})
	for name, start := range map[string]func(*testing.T) *keptServer{
		"the one line": func(t *testing.T) *keptServer { return keepLine(t, 3) },
		"rota run": func(t *testing.T) *keptServer {
			return keepArgs(t, plain.Env, 3, "run", "-keep", "-b", "127.0.0.1:0", "--", plain.Path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := start(t)
			l := e2etest.StartLoad(k.Addr(), "/", 8)
			n := e2etest.Times(10, 4)
			for range n {
				l.Goes(t, 100)
				k.crash(3)
			}
			l.Goes(t, 100)
			r := l.End()
			t.Logf("%s, %d crashes: %v %v", name, n, r, r.First)
			if r.Refused > 0 || name == "the one line" && r.Failed > 0 || r.Failed > r.Answered/10 {
				t.Errorf("%d connections were refused, %d requests failed: %v", r.Refused, r.Failed, r.First)
			}
			k.signal(syscall.SIGTERM)
			if status := k.Wait(); status != 0 || k.Logged(e2etest.GoesOn) != n {
				t.Errorf("exit status %d; %d of %d masters went on", status, k.Logged(e2etest.GoesOn), n)
			}
		})
	}
}

// ownListener is a server whose master listens too, at an address that the environment has, and has a file that workers share: it counts in
// it how often it was started.
func ownListener() {
	rota.OnMaster(func(m *master.Master) {
		ln, err := m.Listen(context.Background(), "tcp", os.Getenv(e2etest.FlagsEnv))
		if err != nil {
			log.Fatal(err)
		}
		f, err := m.SharedFile("starts", 1)
		if err != nil {
			log.Fatal(err)
		}
		b := make([]byte, 1)
		_, _ = f.ReadAt(b, 0) // what isn't there is a start that isn't counted
		b[0]++
		_, _ = f.WriteAt(b, 0)
		go func() {
			fmt.Fprintln(os.Stderr, http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, b[0]) })))
		}()
	})
	line()
}

// What a master that was killed has listened on itself, and its files, are the next one's, also where that asks for them before Run.
func TestKeepOwnListener(t *testing.T) {
	t.Parallel()
	own := e2etest.FreeAddress(t)
	k := keepHelper(t, "own-listener", 1, e2etest.FlagsEnv+"="+own)
	for want := range 4 {
		if want > 0 {
			k.crash(1)
		}
		resp, err := http.Get("http://" + own)
		e2etest.NoError(t, err)
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := string(b); got != strconv.Itoa(want+1) {
			t.Errorf("start %s, want %d", got, want+1)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

// HUP is passed on once, also if it comes in the first second, in which package rota holds it.
func TestKeepPassesEarlyHUP(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	k.signal(syscall.SIGHUP)
	k.WaitLog(e2etest.ReloadDone, 1)
	time.Sleep(1100 * time.Millisecond)
	if n := k.Logged(e2etest.ReloadStarts); n != 1 {
		t.Errorf("%d reloads", n)
	}
}

// Signals to the keeper reach the master that serves, over upgrades and crashes.
func TestKeepPassesSignals(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	k.signal(syscall.SIGHUP)
	k.WaitLog(e2etest.ReloadDone, 1)
	first := k.master()
	for i := range 2 {
		k.signal(syscall.SIGUSR2)
		k.WaitLog(e2etest.TookOver, i+1)
	}
	e2etest.WaitFor(t, "the end of the old master", func() bool { return !e2etest.Alive(first) })
	k.signal(syscall.SIGTTIN)
	k.WaitLog(e2etest.OfGeneration(4), 2) // ready
	e2etest.WaitFor(t, "two workers", func() bool { return len(e2etest.WorkersOf(k.master())) == 2 })
	k.crash(2)
	if k.Logged(e2etest.GoesOn) != 1 {
		t.Error("the next master has not gone on")
	}
	k.signal(syscall.SIGTTOU)
	e2etest.WaitFor(t, "one worker", func() bool { return len(e2etest.WorkersOf(k.master())) == 1 })
	k.signal(syscall.SIGTERM)
	if status := k.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// A master that is killed during an upgrade is followed by the new one, and by no other.
func TestKeepKilledInUpgrade(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1, "ROTA_MIN_UPTIME=1s")
	first := k.master()
	k.signal(syscall.SIGUSR2)
	k.WaitLog(e2etest.OfGeneration(2), 1) // a worker is ready, and on trial
	e2etest.Kill(t, first)
	k.WaitLog(e2etest.TookOver, 1)
	k.signal(syscall.SIGHUP) // reaches the new one
	k.WaitLog(e2etest.ReloadDone, 1)
	if n := len(k.masters()); n != 2 {
		t.Errorf("%d masters", n)
	}
	k.stop()
}

// A signal that comes while no master is ready waits for that.
func TestKeepHoldsSignals(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	e2etest.StandStill(t, k.keeper())
	master := k.master()
	e2etest.Kill(t, master)
	e2etest.WaitFor(t, "the end of the master", func() bool { return !e2etest.Alive(master) })
	k.signal(syscall.SIGHUP)
	k.signal(syscall.SIGUSR2)
	k.signal(syscall.SIGCONT)
	k.WaitLog(e2etest.ReloadDone, 1)
	k.WaitLog(e2etest.TookOver, 1)
	if n := len(k.masters()); n != 3 {
		t.Errorf("%d masters", n)
	}
}

// A new master that is killed while the old one still ends a request is followed by another, which gets a signal that has come
// between the two.
func TestKeepKilledAfterUpgrade(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	answered := k.slow("2s")
	k.signal(syscall.SIGUSR2)
	k.WaitLog(e2etest.TookOver, 1)
	next := k.master()
	e2etest.Kill(t, next)
	e2etest.WaitFor(t, "the end of the new master", func() bool { return !e2etest.Alive(next) })
	k.signal(syscall.SIGHUP)
	k.WaitLog(e2etest.ReloadDone, 1)
	if err := <-answered; err != nil || len(k.masters()) != 3 {
		t.Errorf("the request in flight: %v; %d masters", err, len(k.masters()))
	}
}

// A keeper that stands still, and has no room for more messages, can't learn of a new master. The upgrade fails, and the old one
// serves on: its end would be the end of the service.
func TestKeepStandsStillInUpgrade(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	e2etest.StandStill(t, k.keeper())
	k.fillInbox()
	e2etest.NoError(t, syscall.Kill(k.master(), syscall.SIGUSR2))
	k.WaitLog(e2etest.UpgradeFailed, 1)
	k.signal(syscall.SIGCONT)
	k.signal(syscall.SIGHUP)
	k.WaitLog(e2etest.ReloadDone, 1)
	k.signal(syscall.SIGUSR2)
	k.WaitLog(e2etest.TookOver, 1)
	k.crash(1)
}

// fillInbox sends the keeper messages until there is no room for more.
func (k *keptServer) fillInbox() {
	k.t.Helper()
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", k.master()))
	e2etest.NoError(k.t, err)
	address := regexp.MustCompile(`(?:^|\x00)NOTIFY_SOCKET=([^\x00]*)`).FindSubmatch(env)
	c, err := net.Dial("unixgram", string(address[1]))
	e2etest.NoError(k.t, err)
	defer c.Close()
	for err == nil {
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Write([]byte("STATUS=of a stranger"))
	}
}

// The master's exit status is the keeper's. A first start that fails is not repeated.
func TestKeepExitStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command []string
		status  int
	}{
		"fails":           {[]string{"sh", "-c", "exit 3"}, 3},
		"ends":            {[]string{"true"}, 0},
		"is killed":       {[]string{"sh", "-c", "kill -KILL $$"}, 137},
		"isn't there":     {[]string{"/nowhere/server"}, 1},
		"can't be run":    {[]string{notExecutable(t)}, 127},
		"has descriptors": {[]string{"sh", "-c", "test -z \"$LISTEN_FDS\" -a -n \"$NOTIFY_SOCKET\" && exit 7"}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := launchKept(t, os.Environ(), 1, append([]string{"keep", "--"}, c.command...)...)
			if status := k.Wait(); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
		})
	}
}

// A master that is killed before its workers were ready isn't started again.
func TestKeepKilledBeforeReady(t *testing.T) {
	t.Parallel()
	k := launchKept(t, os.Environ(), 1, "run", "-keep", "-ready", "1h", "-b", "127.0.0.1:0", "--", "sleep", "100")
	k.WaitLog("rota: master pid=", 1)
	e2etest.WaitFor(t, "a worker", func() bool { return len(e2etest.WorkersOf(k.master())) == 1 })
	e2etest.Kill(t, k.master())
	if status := k.Wait(); status != 137 {
		t.Errorf("exit status %d", status)
	}
}

// notExecutable returns the path of a file that exec refuses.
func notExecutable(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "file")
	e2etest.NoError(t, os.WriteFile(path, []byte{0}, 0o755))
	return path
}

// crashedForGood returns a kept server whose master was killed, and the path of a file: while it
// exists, no master can start.
func crashedForGood(t *testing.T) (k *keptServer, marker string) {
	t.Helper()
	marker = filepath.Join(t.TempDir(), "broken")
	cmd := e2etest.Command(t, "line", struct{}{})
	k = keepArgs(t, cmd.Env, 1, "keep", "--", "sh", "-c", `test -e "$0" && exit 5; exec "$1"`, marker, cmd.Path)
	e2etest.NoError(t, os.WriteFile(marker, nil, 0o600))
	e2etest.Kill(t, k.master())
	return k, marker
}

// A start after a crash that fails is repeated, as a new start: what the first one says is not known.
func TestKeepStartFailsAfterCrash(t *testing.T) {
	t.Parallel()
	k, marker := crashedForGood(t)
	k.WaitLog(keeperStartsNext, 3)
	e2etest.NoError(t, os.Remove(marker))
	k.WaitLog(e2etest.WorkerReady, 2)
	if k.Logged(e2etest.GoesOn) != 1 {
		t.Error("the next master has not gone on")
	}
}

const keeperStartsNext e2etest.Line = "rota keep: the master has died"

// Nobody reads the log any more. The next master is started all the same, and a stop reaches it.
func TestKeepLogIsNotRead(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	e2etest.NoError(t, err)
	defer r.Close()
	cmd := e2etest.Command(t, "line", struct{}{})
	started := filepath.Join(t.TempDir(), "pids")
	k := exec.Command(theCommand(t), "keep", "--", "sh", "-c", `echo $$ >> "$0"; exec "$1"`, started, cmd.Path)
	k.Env, k.Stderr = append(cmd.Env, "ROTA_MIN_UPTIME=50ms", "ROTA_WORKERS=1"), w
	e2etest.NoError(t, k.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.Wait() }()
	t.Cleanup(func() { _ = k.Process.Kill(); <-ended })
	e2etest.WaitFor(t, "the keeper to have a record", func() bool { return strings.Contains(descriptors(k.Process.Pid), "rota record") })
	fill(t, w)
	pids, err := os.ReadFile(started)
	e2etest.NoError(t, err)
	first, err := strconv.Atoi(strings.TrimSpace(string(pids)))
	e2etest.NoError(t, err)
	e2etest.Kill(t, first)
	e2etest.WaitFor(t, "another master", func() bool {
		pids, _ := os.ReadFile(started)
		return strings.Count(string(pids), "\n") == 2
	})
	e2etest.NoError(t, syscall.Kill(k.Process.Pid, syscall.SIGTERM))
	e2etest.WaitFor(t, "the end of the keeper", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

// fill fills a pipe.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	n := int(w.Fd())
	e2etest.NoError(t, syscall.SetNonblock(n, true))
	for _, size := range []int{4096, 1} {
		for _, err := syscall.Write(n, make([]byte, size)); err == nil; {
			_, err = syscall.Write(n, make([]byte, size))
		}
	}
	e2etest.NoError(t, syscall.SetNonblock(n, false))
}

// A stop while no master runs ends the keeper.
func TestKeepStopsBetweenMasters(t *testing.T) {
	t.Parallel()
	k, _ := crashedForGood(t)
	k.WaitLog(keeperStartsNext, 6)
	k.signal(syscall.SIGTERM)
	k.Wait()
}

// slow makes a request that takes d, and returns when the handler has it.
func (k *keptServer) slow(d string) <-chan error {
	k.t.Helper()
	n := strings.Count(k.Log.String(), "handling")
	answered := make(chan error, 1)
	go func() {
		_, err := e2etest.Request("tcp", k.Addr(), "/?sleep="+d)
		answered <- err
	}()
	k.WaitOutput("handling", n+1)
	return answered
}

// If the keeper is killed the master stops: what has begun is answered, new clients are refused, and
// nothing is left. So it is after an upgrade, and if the master is killed with it.
func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*keptServer){
		"at once": func(*keptServer) {},
		"after an upgrade": func(k *keptServer) {
			k.signal(syscall.SIGUSR2)
			k.WaitLog(e2etest.TookOver, 1)
		},
		"after a crash":   func(k *keptServer) { k.crash(1) },
		"with the master": func(k *keptServer) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := keepLine(t, 1)
			before(k)
			answered, master := k.slow("500ms"), k.master()
			if name == "with the master" {
				e2etest.Kill(t, master)
			}
			e2etest.Kill(t, k.keeper())
			refused := func() bool {
				c, err := net.Dial("tcp", k.Addr())
				if err == nil {
					c.Close()
				}
				return err != nil
			}
			e2etest.WaitFor(t, "new clients to be refused", refused)
			if err := <-answered; err != nil {
				t.Errorf("the request in flight: %v", err)
			}
			e2etest.WaitFor(t, "the end of the master", func() bool { return !e2etest.Alive(master) })
			k.LeavesNothing()
			k.Wait()
		})
	}
}

// Workers of a master that was killed finish their requests before the keeper ends, unless it is
// told again.
func TestKeepWaitsForWhatIsLeft(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	answered := k.slow("1s")
	k.crash(1)
	k.signal(syscall.SIGTERM)
	if err := <-answered; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if status := k.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	k = keepLine(t, 1)
	answered = k.slow("1m")
	k.crash(1)
	k.signal(syscall.SIGTERM)
	e2etest.WaitFor(t, "the end of the master", func() bool { return !e2etest.Alive(k.master()) })
	k.signal(syscall.SIGTERM)
	if status := k.Wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if err := <-answered; err == nil {
		t.Error("a request of a minute was answered")
	}
}

// A signal to the keeper's process group reaches the master once: a second TERM would end the grace.
func TestKeepGroupSignal(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	if group, err := syscall.Getpgid(k.master()); err != nil || group != k.master() {
		t.Errorf("the master is in group %d, %v", group, err)
	}
	answered := k.slow("500ms")
	e2etest.NoError(t, syscall.Kill(-k.keeper(), syscall.SIGTERM))
	k.EndsWell(answered)
	if k.Logged(e2etest.StopsAgain) > 0 {
		t.Error("the master was told twice")
	}
}

// Ctrl-C in a terminal, which reaches keeper and master, is one INT: a second would kill at once.
func TestKeepInTerminal(t *testing.T) {
	t.Parallel()
	cmd := e2etest.Command(t, "line", struct{}{})
	rota := exec.Command(theCommand(t), "keep", "--", cmd.Path)
	rota.Env = append(cmd.Env, "ROTA_MIN_UPTIME=50ms", "ROTA_WORKERS=1")
	master, terminal, err := pty.Open()
	e2etest.NoError(t, err)
	defer master.Close()
	rota.Stdin = terminal
	rota.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	k := &keptServer{e2etest.Run(t, rota), t}
	t.Cleanup(k.stop)
	terminal.Close()
	k.WaitLog(e2etest.WorkerReady, 1)
	answered := k.slow("500ms")
	_, err = master.Write([]byte{3})
	e2etest.NoError(t, err)
	k.EndsWell(answered)
}

// An INT to the keeper's pid reaches the master, in a terminal too.
func TestKeepInterruptedByPID(t *testing.T) {
	t.Parallel()
	k := keepLine(t, 1)
	answered := k.slow("300ms")
	k.signal(syscall.SIGINT)
	k.EndsWell(answered)
}

// What the manager of the keeper has passed is the master's, also of the next one, and it is told
// the master's state, but neither descriptors nor pids.
func TestKeepUnderAManager(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	e2etest.NoError(t, err)
	defer conn.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	e2etest.NoError(t, err)
	file, err := ln.(*net.TCPListener).File()
	e2etest.NoError(t, err)
	ln.Close()
	plain := e2etest.Command(t, "plain", struct{}{})
	exe := theCommand(t)
	cmd := exec.Command("sh", "-c", `export LISTEN_PID=$$; exec "$@"`, "sh", exe, "run", "-keep", "-b", "fd:web", "--", plain.Path)
	cmd.Env = append(plain.Env, "ROTA_MIN_UPTIME=50ms", "ROTA_WORKERS=1", "NOTIFY_SOCKET="+path, "LISTEN_FDS=1", "LISTEN_FDNAMES=web")
	cmd.ExtraFiles = []*os.File{file}
	k := &keptServer{e2etest.Run(t, cmd), t}
	t.Cleanup(k.stop)
	notified := &e2etest.Output{}
	go io.Copy(notified, conn) // to its Close
	k.WaitLog(e2etest.WorkerReady, 1)
	e2etest.WaitFor(t, "READY=1", func() bool { return strings.Contains(notified.String(), "READY=1") })
	file.Close()
	k.crash(1)
	if _, err := e2etest.Request("tcp", ln.Addr().String(), "/"); err != nil {
		t.Error(err)
	}
	k.stop()
	e2etest.WaitFor(t, "STOPPING=1", func() bool { return strings.Contains(notified.String(), "STOPPING=1") })
	got := notified.String()
	if strings.Count(got, "READY=1") != 2 || strings.Contains(got, "FD") || strings.Contains(got, "MAINPID") {
		t.Errorf("the manager was told\n%s", got)
	}
}

func TestKeepUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"keep"}, {"keep", "--"}, {"keep", "-x"}, {"keep", ""}} {
		var out, errs strings.Builder
		if got := run(args, &out, &errs, os.Getenv); got != usage || errs.Len() == 0 {
			t.Errorf("%q: exit status %d, %q", args, got, errs.String())
		}
	}
	var out, errs strings.Builder
	if got := run([]string{"keep", "-h"}, &out, &errs, os.Getenv); got != done || !strings.Contains(out.String(), "rota keep") {
		t.Errorf("keep -h: exit status %d, %q", got, out.String())
	}
}
