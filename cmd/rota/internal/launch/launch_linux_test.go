//go:build linux

package launch

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deathEnv makes this program write its death signal, a number, to the first of its descriptors.
const deathEnv = "LAUNCH_TEST_DEATH"

// death is the death signal of the main thread, on which packages are initialized.
var death = func() (sig int32) {
	_ = unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&sig)), 0, 0, 0)
	return sig
}()

func TestMain(m *testing.M) {
	if err := Exec(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(deathEnv) != "" {
		fmt.Fprint(os.NewFile(FirstFD, "the test"), death)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A program gets the signal that it is to get when its parent dies.
func TestDeathSignal(t *testing.T) {
	runtime.LockOSThread() // the parent is a thread
	defer runtime.UnlockOSThread()
	for range 200 {
		if got := launched(t); got != "9" {
			t.Fatalf("death signal %q, want 9", got)
		}
	}
}

// A variable that is set again, or to the program's own pid, has that value, whatever the environment had before.
func TestVariablesSetAgain(t *testing.T) {
	env := append(os.Environ(), "LAUNCH_TEST_X=outer", "LAUNCH_TEST_PID=1", "LAUNCH_TEST_X=own")
	p := &Program{Command: []string{"sh", "-c", `test "$LAUNCH_TEST_X" = own -a "$LAUNCH_TEST_PID" = $$`}, Env: env, OwnPID: []string{"LAUNCH_TEST_PID"}}
	pid, err := p.Start()
	if err != nil {
		t.Fatal(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 0 {
		t.Errorf("exit status %d, %v", ws.ExitStatus(), err)
	}
}

// SIGHUP ends a program at any moment after its start, also before it is executed, when package hangup has it: it may be the
// signal by which a program is told to leave.
func TestHangup(t *testing.T) {
	for i := range 60 {
		p := &Program{Command: []string{"sleep", "10"}, Env: os.Environ(), Hangup: true}
		pid, err := p.Start()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws.Signal() != syscall.SIGHUP {
			t.Fatalf("after %d times 0.2 ms: status %x, %v", i, ws, err)
		}
	}
}

// launched returns what a program has written.
func launched(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := &Program{
		Command: os.Args[:1], Env: append(os.Environ(), deathEnv+"=1"),
		Files: []uintptr{w.Fd()}, Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	}
	pid, err := p.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	return string(out)
}
