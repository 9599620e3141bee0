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

// trace traces process pid until the attack is over.
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
		time.Sleep(10 * time.Millisecond)
	}
}

// A worker that another process of its user traces has ended for its master as long as that
// process lives: the slot is served again, and the master reloads and stops.
func TestEndOfATracedWorker(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may start workers of another user")
	}
	s := newScene(t)
	p := startVictim(t, s)
	workers := p.Children()
	e2etest.NoError(t, os.WriteFile(s.dir+"/attack", []byte(traceAttack), 0o644))
	e2etest.WaitFor(t, "a worker that has ended and is traced", func() bool { return strings.Contains(p.Log.String(), "traced") })
	time.Sleep(3 * time.Second)
	t.Log(workers, p.Children())
	out, _ := exec.Command("ps", "-ef", "--forest").CombinedOutput()
	t.Logf("%s", out)
	p.Reload()
	begin := time.Now()
	p.Signal(syscall.SIGTERM)
	t.Log(p.Wait(), time.Since(begin))
	t.Log(p.Log)
	e2etest.NoError(t, os.Remove(s.dir+"/attack"))
}
