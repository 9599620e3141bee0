//go:build linux

package process

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/link"
)

// A subreaper becomes the parent of orphans, as PID 1 does.
func TestReap(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }()
	worker := exec.Command("sleep", "60")
	mustStart(t, worker)
	defer worker.Wait()
	defer worker.Process.Kill()
	workers := map[int]bool{worker.Process.Pid: true}

	other := exec.Command("sh", "-c", "exit 7") // the program's, which waits for it later
	mustStart(t, other)
	released := exec.Command("true") // nobody can wait for it any more
	mustStart(t, released)
	releasedPID := released.Process.Pid
	_ = released.Process.Release()
	orphan := startOrphan(t)
	for _, pid := range []int{other.Process.Pid, releasedPID, orphan} {
		awaitZombie(t, pid)
	}

	if got := Reap(nil); got != nil {
		t.Errorf("without a worker, %v were reaped", got)
	}
	got := Reap(workers)
	slices.Sort(got)
	want := []int{releasedPID, orphan}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("reaped %v, want %v (the program's own child is %d)", got, want, other.Process.Pid)
	}
	if err := other.Wait(); err == nil || err.Error() != "exit status 7" {
		t.Errorf("the program's own child: %v, want exit status 7", err)
	}
	if got := Reap(workers); len(got) > 0 {
		t.Errorf("%v were reaped a second time", got)
	}
}

func mustStart(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// startOrphan has a shell start a process and exit, and returns its pid.
func startOrphan(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("sh", "-c", "sleep 0.05 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func awaitZombie(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if s, ok := readStat(pid); ok && s.state == 'Z' && s.parent == os.Getpid() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is not a zombie child of this process", pid)
		}
	}
}

// Waiting for a hundred workers takes no thread for each.
func TestWaitNeedsNoThread(t *testing.T) {
	const workers = 100
	image, err := Prepare(Spec{Exec: "/bin/sleep", Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	var all []*Process
	var wg sync.WaitGroup
	exits := make([]Exit, workers)
	for i := range workers {
		p, err := image.Start(link.Identity{ID: i + 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Link.Close()
		defer p.OS.Kill()
		all = append(all, p)
		wg.Go(func() { exits[i] = p.Wait() })
	}
	awaitPidfds(t, workers)
	if n := threads(t); n > 30 {
		t.Errorf("%d threads while %d workers run, want at most 30", n, workers)
	}
	for _, p := range all {
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	for i, x := range exits {
		if x != (Exit{Signal: syscall.SIGTERM}) {
			t.Errorf("worker %d: %+v", i, x)
		}
	}
}

// awaitPidfds waits until all workers are waited for: each then has two pidfds, one of
// os/exec.
func awaitPidfds(t *testing.T, workers int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n := 0
		entries, _ := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "pidfd") {
				n++
			}
		}
		if n >= 2*workers {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d pidfds, want %d", n, 2*workers)
		}
	}
}

func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// awaitExit returns when the child has ended, and leaves it to the one that waits for it;
// for a process that is no more it returns at once.
func TestAwaitExit(t *testing.T) {
	cmd := exec.Command("sh", "-c", "exit 7")
	mustStart(t, cmd)
	awaitExit(cmd.Process.Pid, nil)
	if s, ok := readStat(cmd.Process.Pid); !ok || s.state != 'Z' {
		t.Errorf("the child is not a zombie: %+v, %v", s, ok)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit %v", err)
	}
	awaitExit(cmd.Process.Pid, nil)
}
