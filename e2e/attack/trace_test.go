//go:build linux

package attack

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"golang.org/x/sys/unix"
)

// traceEnv has the pid of a worker in a process that traces it.
const traceEnv = "ROTA_E2E_TRACE"

// traceMe starts a process that traces this one, and doesn't wait for its end. While it lives,
// the parent of this one can't: the kernel leaves that to the tracer.
func traceMe(dir string) {
	_ = unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0) // without Yama: needs no leave
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprint(traceEnv, "=", os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		log.Fatal(err)
	}
	_, _ = out.Read(make([]byte, 1))
}

// trace traces process pid until the attack is over. Each signal stops a thread that is traced,
// and the runtime of Go sends its threads SIGURG: trace lets the process go on then. It waits for
// stops alone, so that it doesn't wait for the end.
func trace(pid, dir string) {
	runtime.LockOSThread()
	n, _ := strconv.Atoi(pid)
	if err := unix.PtraceSeize(n); err != nil {
		log.Fatal("trace: ", err)
	}
	log.Print("traced: ", pid)
	_, _ = os.Stdout.WriteString("x")
	for {
		if _, err := os.Stat(dir + "/attack"); err != nil {
			os.Exit(0)
		}
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, n, &info, unix.WSTOPPED|unix.WNOHANG, nil); err == nil && info.Signo != 0 {
			_ = unix.PtraceCont(n, int(unix.SIGURG))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A worker that has ended, and that a process of its user traces, has ended for its master: the
// slot is served again and again, and the master reloads and stops. Afterwards it holds nothing.
func TestEndOfATracedWorker(t *testing.T) {
	e2etest.NeedRoot(t, "it starts processes of another user")
	s := newScene(t)
	p := startVictim(t, s)
	e2etest.NoError(t, os.WriteFile(s.dir+"/attack", []byte(traceAttack), 0o644))
	awaitTraced(t, p, 2)
	e2etest.NoError(t, os.Remove(s.dir+"/attack"))
	p.WaitLog(e2etest.WorkerReady, 3)
	p.Reload()
	e2etest.NoError(t, os.WriteFile(s.dir+"/attack", []byte(traceAttack), 0o644))
	awaitTraced(t, p, 3)
	begin := time.Now()
	p.Signal(syscall.SIGTERM)
	e2etest.WaitFor(t, "the end of the master", func() bool { return !e2etest.Alive(p.PID()) })
	took := time.Since(begin)
	e2etest.NoError(t, os.Remove(s.dir+"/attack")) // ends the tracers, which have standard error
	if status := p.Wait(); status != 0 || took > 5*time.Second {
		t.Errorf("status %d after %v", status, took)
	}
}

// awaitTraced waits until the master has logged the end of so many workers that are traced.
func awaitTraced(t *testing.T, p *e2etest.Process, n int) {
	t.Helper()
	e2etest.WaitFor(t, "workers that have ended and are traced", func() bool {
		return strings.Count(p.Log.String(), "the process that traces it") >= n
	})
}
