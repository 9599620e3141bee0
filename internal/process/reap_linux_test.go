//go:build linux

package process

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
