//go:build linux

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/link"
)

// start starts a worker of spec and closes its image at the end of the test.
func start(t *testing.T, spec Spec) *Process {
	t.Helper()
	image, err := Prepare(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(image.Close)
	p, err := image.Start(link.Identity{ID: 1, Slot: 2, Generation: 3}, map[string]string{"ONE": "1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Link.Close() })
	return p
}

// A silent worker gets its environment and directory, and its output can be read.
func TestStartSilent(t *testing.T) {
	dir := t.TempDir()
	p := start(t, Spec{
		Exec: "/bin/sh", Args: []string{"-c", `pwd; echo "$ONE $TWO"; echo "$ROTA_WORKER" >&2; exit 3`},
		Dir: dir, Env: func() ([]string, error) { return []string{"TWO=2"}, nil }, Silent: true,
	})
	defer closeFiles(p.Output)
	out, _ := io.ReadAll(p.Output[0])
	check(t, "stdout", string(out), dir+"\n1 2\n")
	identity, _ := io.ReadAll(p.Output[1])
	id, err := link.ParseIdentity(strings.TrimSpace(string(identity)))
	if want := (link.Identity{FD: 3, ID: 1, Slot: 2, Generation: 3, Master: os.Getpid()}); err != nil || id != want {
		t.Errorf("the worker is %+v, %v, want %+v", id, err, want)
	}
	check(t, "exit", p.Wait(), Exit{Code: 3})
}

// An image starts the executable that it was prepared from, whatever stands at the path.
func TestImageKeepsExecutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker")
	copyFile(t, "/bin/sleep", path)
	image, err := Prepare(Spec{Exec: path, Args: []string{"60"}})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	check(t, "path", image.path, path)
	check(t, "started by its path", usePath(image.executable, image.path), true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p, err := image.Start(link.Identity{ID: 1}, nil)
	if err != nil {
		t.Fatalf("after its file was removed: %v", err)
	}
	defer p.Link.Close()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	check(t, "exit", p.Wait(), Exit{Signal: syscall.SIGTERM})
}

// An image starts the executable that it was given, if it is one, and owns it.
func TestImageOfAGivenExecutable(t *testing.T) {
	dir := t.TempDir()
	for _, given := range []struct{ path, runs string }{{"/bin/sleep", "sleep"}, {"/etc/passwd", "cat"}, {dir, "cat"}} {
		path := filepath.Join(t.TempDir(), "worker")
		copyFile(t, "/bin/cat", path)
		f, err := os.Open(given.path)
		if err != nil {
			t.Fatal(err)
		}
		image, err := Prepare(Spec{Exec: path, Executable: f})
		if err != nil {
			t.Fatal(err)
		}
		kept := image.executable == f
		check(t, given.path+" is kept", kept, given.runs == "sleep")
		fd, err := image.Executable()
		check(t, "error", err, nil)
		check(t, "another descriptor", fd.Int() != int(image.executable.Fd()), true)
		_ = fd.Close()
		image.Close()
		check(t, "closed", errors.Is(f.Close(), os.ErrClosed), true)
	}
	f, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(Spec{Exec: "/bin/cat", Executable: f, User: "nobody-of-this-name"}); err == nil {
		t.Error("an unknown user is none")
	}
	check(t, "closed", errors.Is(f.Close(), os.ErrClosed), true)
}

// A FIFO is refused as executable; to open it would block.
func TestPrepareFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(Spec{Exec: path}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v, want %v", err, os.ErrPermission)
	}
}

// The executable of an image may have a number that the start of a worker uses for another
// file: it is opened above them for the time.
func TestImageWithLowDescriptor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker")
	copyFile(t, "/bin/true", path)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	spec := Spec{Exec: path}
	for range 40 { // the executable's number is among those
		spec.ExtraFiles = append(spec.ExtraFiles, null)
	}
	image, err := Prepare(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if n := image.executable.Fd(); n >= 3+40 {
		t.Skipf("the executable has descriptor %d", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p, err := image.Start(link.Identity{ID: 1}, nil)
	if err != nil {
		t.Fatalf("with the executable at descriptor %d: %v", image.executable.Fd(), err)
	}
	defer p.Link.Close()
	check(t, "exit", p.Wait(), Exit{})
}

// The working directory of an image is the one that it was prepared with, also after the
// link to it was moved to the next release.
func TestImageKeepsDirectory(t *testing.T) {
	base := t.TempDir()
	current := filepath.Join(base, "current")
	for _, release := range []string{"1", "2"} {
		if err := os.Mkdir(filepath.Join(base, release), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	move := func(to string) {
		_ = os.Remove(current)
		if err := os.Symlink(to, current); err != nil {
			t.Fatal(err)
		}
	}
	move("1")
	image, err := Prepare(Spec{Exec: "/bin/sh", Args: []string{"-c", "pwd -P"}, Dir: current, Silent: true})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	move("2")
	p, err := image.Start(link.Identity{ID: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Link.Close()
	defer closeFiles(p.Output)
	out, _ := io.ReadAll(p.Output[0])
	p.Wait()
	check(t, "directory", strings.TrimSpace(string(out)), filepath.Join(base, "1"))
}

// With Running, an image starts what this process runs, whatever stands at the path.
func TestImageOfTheRunningProgram(t *testing.T) {
	defer func(old Invocation) { started = old }(started)
	started.Exec = filepath.Join(t.TempDir(), "removed")
	image, err := Prepare(Spec{Running: true})
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	runs, err := os.Stat(selfExe)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := image.executable.Stat(); err != nil || !os.SameFile(kept, runs) {
		t.Errorf("the image has %v open, %v, want the file of this process", kept.Name(), err)
	}
	if _, err := Prepare(Spec{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without Running: %v, want an error of the path", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A worker is signalled by pidfd: a number could be another process's by then.
func TestSignalByPidfd(t *testing.T) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Skip("no pidfd here: ", err)
	}
	defer unix.Close(fd)
	p := start(t, Spec{Exec: "/bin/sleep", Args: []string{"60"}, User: currentUser()})
	if !pidfds()[p.OS.Pid] {
		t.Errorf("there is no pidfd of worker %d", p.OS.Pid)
	}
	if err := p.Signal(os.Kill); err != nil {
		t.Error(err)
	}
	p.Wait()
	if err := p.Signal(os.Kill); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("after its end: %v, want %v", err, os.ErrProcessDone)
	}
}

// currentUser is this process's own user and group, with which a worker is started on a
// confined thread.
func currentUser() string { return fmt.Sprintf("%d:%d", os.Geteuid(), os.Getegid()) }

// A FIFO in the place of the PID file is left there; to read it would block.
func TestRemovePIDFileThatIsFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p := pidFile(t)
	p.Write(path)
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); p.Remove() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Remove waits for a writer of the FIFO")
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the FIFO is gone: %v", err)
	}
}
