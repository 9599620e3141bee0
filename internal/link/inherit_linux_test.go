//go:build linux

package link

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/wire"
)

func init() {
	helpers["inherit"] = helpInherit
	helpers["grandchild"] = helpGrandchild
	helpers["early"] = helpEarly
	helpers["orphan"] = helpOrphan
	helpers["maker"] = helpMaker
}

// inherited is what a child reports about itself.
type inherited struct {
	OK, Link bool
	Err      string
	EBADF    bool // errors.Is
	ENOTSOCK bool
	ID       Identity
	EnvLeft  bool // the variable was still there afterwards
	CloseFD  bool // the descriptor is close-on-exec
	Nonblock bool
	Worker   bool // IsWorker
}

// helpInherit inherits the link and reports the result on standard output. If there is a
// link, it sends Hello and waits until the other end is closed.
func helpInherit() int {
	id, link, ok, err := Inherit()
	_, left := os.LookupEnv(EnvName)
	r := inherited{OK: ok, Link: link != nil, ID: id, EnvLeft: left, Worker: IsWorker(),
		EBADF: errors.Is(err, unix.EBADF), ENOTSOCK: errors.Is(err, unix.ENOTSOCK)}
	if err != nil {
		r.Err = err.Error()
	}
	if link != nil {
		_ = link.raw.Control(func(fd uintptr) {
			flags, _ := unix.FcntlInt(fd, unix.F_GETFD, 0)
			status, _ := unix.FcntlInt(fd, unix.F_GETFL, 0)
			r.CloseFD, r.Nonblock = flags&unix.FD_CLOEXEC != 0, status&unix.O_NONBLOCK != 0
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return 1
	}
	if link == nil {
		return 0
	}
	defer link.Close()
	if err := link.Send(wire.Frame{Type: wire.Hello, Body: wire.Body(wire.HelloBody{PID: os.Getpid()})}); err != nil {
		return 1
	}
	if _, err := link.Receive(); err != io.EOF {
		fmt.Fprintln(os.Stderr, "the link ended with", err)
		return 1
	}
	return 0
}

// helpGrandchild is a worker that starts a process, which must not be a worker
// and must not have the worker's descriptors.
func helpGrandchild() int {
	_, link, ok, err := Inherit()
	if !ok || err != nil {
		fmt.Fprintln(os.Stderr, ok, err)
		return 1
	}
	defer link.Close()
	cmd := helperCommand(noTest{}, "inherit")
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// helpEarly is a worker that starts a process before it inherits the link, which that
// process has too.
func helpEarly() int {
	cmd := helperCommand(noTest{}, "inherit", os.NewFile(3, "link"))
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return helpInherit()
}

// helpMaker makes a link, starts a process with it, and ends before that has inherited it.
func helpMaker() int {
	l, end, err := Pair()
	if err != nil {
		return 1
	}
	defer l.Close()
	cmd := helperCommand(noTest{}, "orphan", end)
	cmd.Env = append(cmd.Env, EnvName+"="+Identity{FD: 3, ID: 1, Master: os.Getpid()}.String())
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// helpOrphan inherits a link when the process that has made it is gone.
func helpOrphan() int {
	id, err := ParseIdentity(os.Getenv(EnvName))
	if err != nil {
		return 1
	}
	for os.Getppid() == id.Master {
		time.Sleep(time.Millisecond)
	}
	return helpInherit()
}

// noTest is a testing.TB for a helper process, in which no test runs.
type noTest struct{ testing.TB }

func (noTest) Helper()           {}
func (noTest) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// child runs a helper whose descriptor 3 is file, which child closes, with value as
// EnvName unless it is empty.
func child(t *testing.T, helper string, file *os.File, value string, with func()) (r inherited) {
	t.Helper()
	var files []*os.File
	if file != nil {
		defer file.Close()
		files = append(files, file)
	}
	cmd := helperCommand(t, helper, files...)
	if value != "" {
		cmd.Env = append(cmd.Env, EnvName+"="+value)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if file != nil {
		file.Close()
	}
	if err := json.NewDecoder(out).Decode(&r); err != nil {
		t.Errorf("the child reported nothing: %v", err)
	}
	if with != nil {
		with()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
	return r
}

func TestInherit(t *testing.T) {
	noneLeft(t)
	link, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	id := Identity{FD: 3, ID: 9, Slot: 2, Generation: 4, Master: os.Getpid()}
	got := child(t, "inherit", end, id.String(), func() {
		if p := receiveN(t, link, 1)[0]; p.Type != wire.Hello {
			t.Errorf("the child says %v", p.Type)
		}
		link.Close()
	})
	want := inherited{OK: true, Link: true, ID: id, CloseFD: true, Nonblock: true, Worker: true}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestInheritOutsideWorker(t *testing.T) {
	if got := child(t, "inherit", nil, "", nil); got != (inherited{}) {
		t.Errorf("got %+v", got)
	}
}

// A process that a worker starts is not a worker, and doesn't keep the link open.
func TestGrandchild(t *testing.T) {
	noneLeft(t)
	link, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	got := child(t, "grandchild", end, identities[0].String(), nil)
	if got != (inherited{}) {
		t.Errorf("got %+v", got)
	}
	if _, err := link.Receive(); err != io.EOF {
		t.Errorf("the link: %v", err)
	}
}

// A process that a worker has started before it has inherited the link, with the variable
// and the descriptor, is not a worker, and the worker is.
func TestEarlyGrandchild(t *testing.T) {
	noneLeft(t)
	link, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	defer end.Close()
	cmd := helperCommand(t, "early", end)
	cmd.Env = append(cmd.Env, EnvName+"="+identities[0].String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var grandchild, worker inherited
	reports := json.NewDecoder(out)
	if err := errors.Join(reports.Decode(&grandchild), reports.Decode(&worker)); err != nil {
		t.Error(err)
	}
	link.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if grandchild != (inherited{}) {
		t.Errorf("the process is a worker: %+v", grandchild)
	}
	if !worker.OK || !worker.Link || worker.Err != "" {
		t.Errorf("the worker is none: %+v", worker)
	}
}

// A worker whose master has died before the worker has inherited the link is a worker still:
// it must not become a master.
func TestInheritFromTheDead(t *testing.T) {
	cmd := helperCommand(t, "maker")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got inherited
	if err := json.NewDecoder(out).Decode(&got); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if !got.OK || !got.Link || !got.Worker {
		t.Errorf("got %+v", got)
	}
}

// A wrapper may have closed the descriptor, or opened another file at its number. The
// error names the descriptor.
func TestInheritInvalidDescriptor(t *testing.T) {
	noneLeft(t)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	listening, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	for _, tt := range []struct {
		name  string
		file  func() *os.File
		value string
		want  inherited
		words string
	}{
		{"closed", func() *os.File { return nil }, "fd=250 id=1 slot=0 generation=0 master=1", inherited{EBADF: true}, "descriptor 250"},
		{"a file", func() *os.File { return null(t) }, "fd=3 id=1 slot=0 generation=0 master=1", inherited{ENOTSOCK: true}, "descriptor 3"},
		{"a TCP socket", func() *os.File { f, _ := tcp.(*net.TCPListener).File(); return f }, "fd=3 id=1 slot=0 generation=0 master=1", inherited{}, "descriptor 3"},
		{"a UDP socket", func() *os.File { return datagrams(t, unix.AF_INET) }, "fd=3 id=1 slot=0 generation=0 master=1", inherited{}, "descriptor 3"},
		{"a unix socket of datagrams", func() *os.File { return datagrams(t, unix.AF_UNIX) }, "fd=3 id=1 slot=0 generation=0 master=1", inherited{}, "descriptor 3"},
		{"a listening unix socket", func() *os.File { f, _ := listening.(*net.UnixListener).File(); return f }, "fd=3 id=1 slot=0 generation=0 master=1", inherited{}, "descriptor 3"},
		{"no identity", func() *os.File { return nil }, "yes", inherited{}, `ROTA_WORKER="yes"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := child(t, "inherit", tt.file(), tt.value, nil)
			if !strings.Contains(got.Err, EnvName) || !strings.Contains(got.Err, tt.words) {
				t.Errorf("error %q, want one with %q", got.Err, tt.words)
			}
			got.Err = ""
			got.ID = Identity{}
			tt.want.OK, tt.want.Worker = true, true
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func null(t *testing.T) *os.File {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func datagrams(t *testing.T, domain int) *os.File {
	n, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(n), "datagrams")
}
