//go:build linux

package process

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// elsewhere copies the test binary to a folder that every user may read.
func elsewhere(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(e2etest.ShortDir(t), "e2e.test")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	return exe
}

// asUser is a configuration whose workers are of that user.
func asUser(t *testing.T, name string) master.Config {
	t.Helper()
	cfg := server.Quick(1)
	cfg.User, cfg.Exec = name, elsewhere(t)
	return cfg
}

// wantNoPrivileges checks that a process has no capabilities and can get none.
func wantNoPrivileges(t *testing.T, pid int) {
	t.Helper()
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if got := statusOf(t, pid, set); strings.Trim(got, "0") != "" {
			t.Errorf("%s of worker %d is %s", set, pid, got)
		}
	}
	if got := statusOf(t, pid, "NoNewPrivs"); got != "1" {
		t.Errorf("NoNewPrivs of worker %d is %s, want 1", pid, got)
	}
}

// A worker of a User has the ids, groups and variables of that user, and none of root's
// privileges. The master keeps its own.
func TestWorkerOfAUser(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it starts processes of other users")
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	p := e2etest.Start(t, "serve", asUser(t, "nobody"), "SECRET=1")
	worker := p.Children()[0]
	wantNoPrivileges(t, worker)
	if got := statusOf(t, p.PID(), "NoNewPrivs"); got != statusOf(t, os.Getpid(), "NoNewPrivs") {
		t.Errorf("NoNewPrivs of the master is %s", got)
	}
	groups, err := nobody.GroupIds()
	e2etest.NoError(t, err)
	if got := strings.Fields(statusOf(t, worker, "Groups")); !slices.Equal(got, groups) {
		t.Errorf("groups %q, want %q", got, groups)
	}
	want := fmt.Sprintf("%s nobody nobody 1\n", nobody.HomeDir)
	if got := shell(t, p, "echo $HOME $USER $LOGNAME $SECRET"); got != want {
		t.Errorf("variables %q, want %q", got, want)
	}
}

// A master that isn't root but may set ids, as systemd's AmbientCapabilities allow, doesn't
// leave them to a worker of another user.
func TestWorkerOfAUserWithoutRoot(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it gives capabilities")
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip(err)
	}
	const capabilities = "+setuid,+setgid,+kill"
	cfg := asUser(t, "23456:23456")
	cmd := e2etest.Command(t, "serve", cfg)
	cmd.Args = []string{"setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups",
		"--inh-caps", capabilities, "--ambient-caps", capabilities, cfg.Exec}
	cmd.Path, cmd.Dir = setpriv, "/"
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 1)
	if got := statusOf(t, p.PID(), "CapAmb"); strings.Trim(got, "0") == "" {
		t.Fatalf("the master has no ambient capabilities")
	}
	wantNoCapabilitiesButInheritable(t, p.Children()[0])
	p.Reload()
}

// wantNoCapabilitiesButInheritable is wantNoPrivileges for a worker of a master with
// inheritable capabilities, which are of no use without files that have them too.
func wantNoCapabilitiesButInheritable(t *testing.T, pid int) {
	t.Helper()
	for _, set := range []string{"CapPrm", "CapEff", "CapAmb"} {
		if got := statusOf(t, pid, set); strings.Trim(got, "0") != "" {
			t.Errorf("%s of worker %d is %s", set, pid, got)
		}
	}
	if got := statusOf(t, pid, "NoNewPrivs"); got != "1" {
		t.Errorf("NoNewPrivs of worker %d is %s, want 1", pid, got)
	}
}

// Workers of the master's own user are confined only on request.
func TestNoNewPrivs(t *testing.T) {
	t.Parallel()
	if statusOf(t, os.Getpid(), "NoNewPrivs") != "0" {
		t.Skip("the test is confined itself")
	}
	for want, on := range map[string]bool{"0": false, "1": true} {
		cfg := server.Quick(1)
		cfg.NoNewPrivs = on
		p := e2etest.Start(t, "serve", cfg)
		if got := statusOf(t, p.Children()[0], "NoNewPrivs"); got != want {
			t.Errorf("with %t, NoNewPrivs of the worker is %s", on, got)
		}
	}
}

// A descriptor that the master was started with, without close-on-exec, is not a worker's.
func TestInheritedDescriptor(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	e2etest.NoError(t, err)
	defer r.Close()
	defer w.Close()
	for _, main := range []bool{false, true} {
		cfg := server.Quick(1)
		cfg.RunMain = main
		cmd := e2etest.Command(t, "serve", cfg)
		cmd.ExtraFiles = []*os.File{r, w}
		p := e2etest.Run(t, cmd)
		p.WaitLog(e2etest.WorkerReady, 1)
		pipe := linkOf(t, os.Getpid(), int(r.Fd()))
		if linkOf(t, p.PID(), 3) != pipe {
			t.Errorf("RunMain %t: the master doesn't have the descriptor any more", main)
		}
		worker := p.Children()[0]
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", worker))
		e2etest.NoError(t, err)
		for _, e := range entries {
			if what, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", worker, e.Name())); what == pipe {
				t.Errorf("RunMain %t: the worker has the pipe, as %s", main, e.Name())
			}
		}
	}
}

func linkOf(t *testing.T, pid, fd int) string {
	t.Helper()
	what, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	e2etest.NoError(t, err)
	return what
}

// withCapability gives a file a capability, which every user gets that executes it.
func withCapability(t *testing.T, path string) {
	t.Helper()
	const netBind, revision2, effective = 1 << unix.CAP_NET_BIND_SERVICE, 0x02000000, 1
	var b []byte
	for _, n := range []uint32{revision2 | effective, netBind, 0, 0, 0} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	if err := unix.Setxattr(path, "security.capability", b, 0); err != nil {
		t.Skip("no file capabilities here: ", err)
	}
}

// A program whose file has capabilities may have privileges that the user who starts it
// hasn't: nothing in that user's environment makes it a worker or a master. Listen is
// net.Listen, and a line says why.
func TestSecureExecution(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it gives a file capabilities")
	plain, exe := elsewhere(t), elsewhere(t)
	withCapability(t, exe)
	cmd := e2etest.Command(t, "attacker", server.Quick(1), e2etest.FlagsEnv+"="+exe)
	cmd.Path, cmd.Args, cmd.Dir = plain, []string{plain}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	p := e2etest.Run(t, cmd)
	p.WaitOutput(`worker: false, variables: """"""`, 1)
	p.WaitOutput("the attacker has read 0 bytes", 1)
	if p.Log.Count("under secure execution") != 2 { // of the variable, and of Listen
		t.Errorf("the reason is not there:\n%s", p.Log)
	}
}

// Root may start workers of another user from a file with capabilities: the link comes from
// root.
func TestSecureWorkerOfRoot(t *testing.T) {
	t.Parallel()
	e2etest.NeedRoot(t, "it gives a file capabilities")
	cfg := asUser(t, "nobody")
	withCapability(t, cfg.Exec)
	p := e2etest.Start(t, "serve", cfg)
	wantNoPrivileges(t, p.Children()[0])
	p.Reload()
}
