//go:build linux

package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/link"
)

// tracerEnv has the pid that a process of this test traces.
const tracerEnv = "ROTA_TEST_TRACE"

// TestTracer is not a test: it traces all threads of a process, until its input ends.
func TestTracer(t *testing.T) {
	pid := os.Getenv(tracerEnv)
	if pid == "" {
		t.Skip("it is started by TestWaitForTraced")
	}
	runtime.LockOSThread()
	threads, _ := filepath.Glob("/proc/" + pid + "/task/*")
	for _, path := range threads {
		n, _ := strconv.Atoi(filepath.Base(path))
		if err := unix.PtraceSeize(n); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("traced")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// startTracer traces a process until the result is called.
func startTracer(t *testing.T, pid int) (stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTracer$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprint(tracerEnv, "=", pid))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	mustStart(t, cmd)
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "traced" {
		if lines.Text() == syscall.EPERM.Error() {
			t.Skip("tracing is forbidden here")
		}
	}
	return func() { in.Close(); _ = cmd.Wait() }
}

// A process that has ended, but is another's to wait for because that one traces it, has ended
// for its parent. When that one is gone, nothing is left of it.
func TestWaitForTraced(t *testing.T) {
	for _, name := range []string{"/bin/sleep", "many threads"} {
		t.Run(name, func(t *testing.T) { testWaitForTraced(t, name) })
	}
}

func testWaitForTraced(t *testing.T, name string) {
	spec := Spec{Exec: "/bin/sleep", Args: []string{"600"}}
	if name != spec.Exec {
		spec = Spec{Exec: os.Args[0], Args: []string{"-test.run=^TestManyThreads$"}, Env: func() ([]string, error) { return append(os.Environ(), threadsEnv+"=1"), nil }}
	}
	image, err := Prepare(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	p, err := image.Start(link.Identity{ID: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Link.Close()
	exits := make(chan Exit, 1)
	go func() { exits <- p.Wait() }()
	for name != spec.Exec && countThreads(p.OS.Pid) < 4 {
		time.Sleep(time.Millisecond)
	}
	stop := startTracer(t, p.OS.Pid)
	if err := p.Signal(os.Kill); err != nil {
		t.Error(err)
	}
	select {
	case x := <-exits:
		if x != (Exit{Err: ErrTraced}) {
			t.Errorf("exit %+v", x)
		}
	case <-time.After(10 * time.Second):
		t.Error("Wait doesn't return")
	}
	stop()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, ok := readStat(p.OS.Pid); !ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a zombie is left")
		}
	}
}

// threadsEnv makes a process of this test one with threads.
const threadsEnv = "ROTA_TEST_THREADS"

// TestManyThreads is not a test: it has threads until it is killed.
func TestManyThreads(t *testing.T) {
	if os.Getenv(threadsEnv) == "" {
		t.Skip("it is started by TestWaitForTraced")
	}
	for range 4 {
		go func() {
			runtime.LockOSThread()
			_ = unix.Pause()
		}()
	}
	time.Sleep(time.Minute)
}

func countThreads(pid int) int {
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	return len(all)
}
