//go:build linux

package master

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

// Orphans fall to a subreaper as they do to PID 1.
func TestReap(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }()
	worker := exec.Command("sleep", "60")
	mustStart(t, worker)
	defer worker.Wait()
	defer worker.Process.Kill()
	mine := map[int]bool{worker.Process.Pid: true}

	other := exec.Command("sh", "-c", "exit 7") // the program's, which it waits for late
	mustStart(t, other)
	released := exec.Command("true") // nobody's any more
	mustStart(t, released)
	releasedPID := released.Process.Pid
	_ = released.Process.Release()
	orphan := orphanOf(t)
	for _, pid := range []int{other.Process.Pid, releasedPID, orphan} {
		awaitZombie(t, pid)
	}

	if got := reap(nil); got != nil {
		t.Errorf("without a worker to show that Go uses pidfds %v were reaped", got)
	}
	got := reap(mine)
	slices.Sort(got)
	want := []int{releasedPID, orphan}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("reaped %v, want %v (the program's own is %d)", got, want, other.Process.Pid)
	}
	if err := other.Wait(); err == nil || err.Error() != "exit status 7" {
		t.Errorf("the program's own child: %v, want exit status 7", err)
	}
	if got := reap(mine); len(got) > 0 {
		t.Errorf("%v were reaped twice", got)
	}
}

func mustStart(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// orphanOf has a shell leave a child behind.
func orphanOf(t *testing.T) int {
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
			t.Fatalf("process %d is no zombie of this one", pid)
		}
	}
}
