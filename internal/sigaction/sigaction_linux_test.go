//go:build linux

package sigaction

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// executesEnv makes the test binary execute itself again and again.
const executesEnv = "SIGACTION_EXECUTES"

func TestMain(m *testing.M) {
	if os.Getenv(executesEnv) == "" {
		os.Exit(m.Run())
	}
	for range 4 { // threads, one of which gets the signal
		go func() {
			for {
				time.Sleep(20 * time.Microsecond)
			}
		}()
	}
	time.Sleep(200 * time.Microsecond)
	undo := Default(endings())
	err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	undo()
	panic(err)
}

func endings() []os.Signal { return []os.Signal{syscall.SIGTERM} }

// A signal that ends a program isn't lost where the program executes another one at that time. Without Default one in
// several hundred is, with more processes than processors: the next test is the exact one.
func TestDefaultOverExec(t *testing.T) {
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for i := range 50 {
				endsInTime(t, i)
			}
		})
	}
}

// endsInTime ends a process that executes itself again and again.
func endsInTime(t *testing.T, i int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), executesEnv+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5*time.Millisecond + time.Duration(i)*41*time.Microsecond)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	stuck := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	if !stuck.Stop() {
		t.Fatalf("run %d: the signal is lost", i)
	}
}

// blocking has a thread with all signals blocked, as in a handler, while f runs there. It returns when f is about to run; done is
// closed when it is over.
func blocking(f func()) (done chan bool) {
	begun, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		var all unix.Sigset_t
		for i := range all.Val {
			all.Val[i]--
		}
		_ = unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil)
		close(begun)
		f()
		_ = unix.PthreadSigmask(unix.SIG_UNBLOCK, &all, nil)
	}()
	<-begun
	return done
}

// Default returns when no thread is in a handler any more.
func TestDefaultAwaitsHandlers(t *testing.T) {
	ended := make(chan bool)
	done := blocking(func() {
		time.Sleep(10 * time.Millisecond)
		close(ended)
	})
	setDefault(endings(), 10*time.Second)()
	select {
	case <-ended:
	default:
		t.Error("Default has returned while a thread was in a handler")
	}
	<-done
}

// Default returns all the same where a thread has all signals blocked for another reason.
func TestDefaultIsPatient(t *testing.T) {
	end := make(chan bool)
	done := blocking(func() { <-end })
	Default(endings())()
	close(end)
	<-done
}

// Signals that are ignored stay so.
func TestIgnoredStays(t *testing.T) {
	defer Ignore([]os.Signal{syscall.SIGUSR2})()
	defer Default([]os.Signal{syscall.SIGUSR2})()
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR2); err != nil { // it would end the test
		t.Fatal(err)
	}
	if b, err := os.ReadFile("/proc/self/status"); err != nil || maskIn(b, "SigIgn")&(1<<(syscall.SIGUSR2-1)) == 0 {
		t.Errorf("%v: the signal is not ignored: %s", err, b)
	}
}

// After undo all is as it was.
func TestUndo(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGUSR1)
	defer signal.Stop(c)
	Default(endings())()
	Ignore([]os.Signal{syscall.SIGUSR1})()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGUSR1} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-c:
			if got != s {
				t.Errorf("the handler has got %v, want %v", got, s)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the handler has not got %v", s)
		}
	}
}
