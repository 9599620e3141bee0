//go:build linux

package account

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The main goroutine has the first thread, for TestMain.
func init() { runtime.LockOSThread() }

// TestMain starts a confined process from the first thread before it runs the tests.
func TestMain(m *testing.M) {
	before, _ := os.ReadFile("/proc/self/status")
	status, err := "", errors.New("this is not the first thread")
	if unix.Gettid() == unix.Getpid() {
		err = all.onThread(func() (err error) { status, err = child(); return err })
	}
	after, _ := os.ReadFile("/proc/self/status")
	switch {
	case err == nil && field(status, "NoNewPrivs") != "1":
		err = errors.New("the child is not confined")
	case field(string(before), "NoNewPrivs") != field(string(after), "NoNewPrivs"):
		err = errors.New("the thread is confined")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "from the first thread:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var all = Confine{NoNewPrivs: true, NoCapabilities: true}

// child returns the status of a child of the calling thread.
func child() (status string, err error) {
	out, err := exec.Command("cat", "/proc/self/status").Output()
	return string(out), err
}

func field(status, name string) string {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Processes that are started in a confinement have it, and no other process of this one has.
// Of its threads one for each confinement has it, and not the first.
func TestConfine(t *testing.T) {
	if b, err := os.ReadFile("/proc/self/status"); err != nil || field(string(b), "NoNewPrivs") != "0" {
		t.Skip("this process is confined already, or can't know it: ", err)
	}
	for _, c := range []Confine{{NoNewPrivs: true}, {NoCapabilities: true}, all} {
		var status string
		if err := c.Start(func() (err error) { status, err = child(); return err }); err != nil {
			t.Fatal(err)
		}
		want := "0"
		if c.NoNewPrivs {
			want = "1"
		}
		if got := field(status, "NoNewPrivs"); got != want {
			t.Errorf("%+v: NoNewPrivs of the child is %s", c, got)
		}
		if got := field(status, "CapAmb"); strings.Trim(got, "0") != "" {
			t.Errorf("%+v: CapAmb of the child is %s", c, got)
		}
	}
	if status, err := child(); err != nil || field(status, "NoNewPrivs") != "0" {
		t.Errorf("another child: %v, NoNewPrivs %s", err, field(status, "NoNewPrivs"))
	}
	for range 3 {
		_ = all.Start(func() error { return nil })
	}
	if n := confined(t); n != 2 {
		t.Fatalf("%d threads are confined, want one for each of two confinements", n)
	}
}

// confined returns how many threads of this process have NoNewPrivs.
func confined(t *testing.T) (n int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Skip("no /proc")
	}
	for _, task := range tasks {
		if b, err := os.ReadFile(task); err == nil && field(string(b), "NoNewPrivs") == "1" {
			n++
		}
	}
	return n
}

// The error of start is that of Start.
func TestConfineError(t *testing.T) {
	if err := all.Start(func() error { return os.ErrExist }); err != os.ErrExist {
		t.Error(err)
	}
}
