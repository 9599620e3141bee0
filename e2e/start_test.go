//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// A first start that fails does so as the program would without rota, with the program's
// own error and exit status, and leaves no process behind.

func TestAddressInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := e2etest.Launch(t, "listen", server.Quick(2), e2etest.FlagsEnv+"=tcp "+ln.Addr().String())
	if status := p.Wait(); status != 1 {
		t.Errorf("exit status %d, want log.Fatal's 1", status)
	}
	want := fmt.Sprintf("listen tcp %s: bind: address already in use", ln.Addr())
	if !strings.Contains(p.Log.String(), want) {
		t.Errorf("log has no %q:\n%s", want, p.Log)
	}
}

func TestFirstStartFailsWithTheProgramsStatus(t *testing.T) {
	p := e2etest.Launch(t, "version", server.Quick(2), server.NewRelease(t, "exits").Flags)
	if status := p.Wait(); status != 3 {
		t.Errorf("exit status %d, want the program's 3", status)
	}
}

func TestListenErrorsAreThoseOfNet(t *testing.T) {
	for _, tc := range []struct{ listen, want string }{
		{"tcp nonsense", "listen tcp: address nonsense: missing port in address"},
		{"tcp 127.0.0.1:99999", "listen tcp: address 99999: invalid port"},
		{"nosuch 127.0.0.1:0", "listen nosuch: unknown network nosuch"},
		{"tcp 192.0.2.1:0", "cannot assign requested address"},
	} {
		t.Run(tc.listen, func(t *testing.T) {
			p := e2etest.Launch(t, "listen", server.Quick(1), e2etest.FlagsEnv+"="+tc.listen)
			if status := p.Wait(); status != 1 {
				t.Errorf("exit status %d, want log.Fatal's 1", status)
			}
			if !strings.Contains(p.Log.String(), tc.want) {
				t.Errorf("log has no %q:\n%s", tc.want, p.Log)
			}
		})
	}
}

func TestBadWorkers(t *testing.T) {
	for _, value := range []string{"many", "0", "-1", "1e3", "100000"} {
		p := e2etest.Launch(t, "serve", master.Config{}, "ROTA_WORKERS="+value)
		if status := p.Wait(); status != 1 {
			t.Errorf("%s: exit status %d, want log.Fatal's 1", value, status)
		}
		if want := fmt.Sprintf("ROTA_WORKERS is %q", value); !strings.Contains(p.Log.String(), want) {
			t.Errorf("log has no %q:\n%s", want, p.Log)
		}
		if n := p.Logged(e2etest.MasterStarts); n > 0 {
			t.Errorf("a master was started:\n%s", p.Log)
		}
	}
}

func TestWorkersFromTheEnvironment(t *testing.T) {
	p := e2etest.Launch(t, "serve", master.Config{}, "ROTA_WORKERS=3")
	p.WaitLog(e2etest.WorkerReady, 3)
	auto := e2etest.Launch(t, "serve", master.Config{}, "ROTA_WORKERS=auto")
	auto.WaitLog(e2etest.WorkerReady, 1)
}

// If the executable was removed a reload fails, and a crashed worker is started again from
// the executable that the master has open.
func TestExecutableGone(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "server")
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	cfg := server.Quick(1)
	cfg.Exec = exe
	p := e2etest.Start(t, "serve", cfg)
	l := e2etest.StartLoad(p.Addr(), "/", 4)
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadFailed, 1)
	if !strings.Contains(p.Log.String(), exe) {
		t.Errorf("the log doesn't name %s:\n%s", exe, p.Log)
	}
	// The master keeps the executable of the generation open.
	e2etest.Kill(t, p.Children()[0])
	p.WaitLog(e2etest.WorkerReady, 2)
	e2etest.CopyFile(t, e2etest.Self(t), exe)
	p.Reload()
	r := l.End()
	t.Log(r)
	if r.Refused > 0 {
		t.Errorf("%d refused", r.Refused)
	}
}

// With ROTA=off rota.Listen is net.Listen: there is one process, and no master.
func TestOffIsNetListen(t *testing.T) {
	cmd := e2etest.Command(t, "listen-once", server.Quick(1), "ROTA=off", e2etest.FlagsEnv+"=tcp 127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "*net.TCPListener"; !strings.Contains(string(out), want) {
		t.Errorf("%s, want %s", out, want)
	}
}

// Setup after Listen has no effect: the master never gets there, so the worker returns an
// error.
func TestSetupTooLate(t *testing.T) {
	p := e2etest.Start(t, "setup-late", server.Quick(1))
	p.WaitOutput("Setup returns: setup after Listen", 1)
}
