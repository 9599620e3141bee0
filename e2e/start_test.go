//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rota-go/rota/master"
)

// Section 7, first start: it fails as the program itself would, with its own words
// and its own exit status, and nothing is left behind.

func TestAddressInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := launch(t, "listen", quick(2), flagsEnv+"=tcp "+ln.Addr().String())
	if status := p.wait(); status != 1 {
		t.Errorf("exit status %d, want log.Fatal's 1", status)
	}
	want := fmt.Sprintf("listen tcp %s: bind: address already in use", ln.Addr())
	if !strings.Contains(p.log.String(), want) {
		t.Errorf("log has no %q:\n%s", want, p.log)
	}
}

func TestFirstStartFailsWithTheProgramsStatus(t *testing.T) {
	p := launch(t, "version", quick(2), flagsEnv+"="+release(t, "exits").path)
	if status := p.wait(); status != 3 {
		t.Errorf("exit status %d, want the program's 3", status)
	}
}

func TestBadInput(t *testing.T) {
	for _, tc := range []struct{ listen, want string }{
		{"tcp nonsense", "listen tcp: address nonsense: missing port in address"},
		{"tcp 127.0.0.1:99999", "listen tcp: address 99999: invalid port"},
		{"nosuch 127.0.0.1:0", "listen nosuch: unknown network nosuch"},
		{"tcp 192.0.2.1:0", "cannot assign requested address"},
	} {
		t.Run(tc.listen, func(t *testing.T) {
			p := launch(t, "listen", quick(1), flagsEnv+"="+tc.listen)
			if status := p.wait(); status != 1 {
				t.Errorf("exit status %d, want log.Fatal's 1", status)
			}
			if !strings.Contains(p.log.String(), tc.want) {
				t.Errorf("log has no %q:\n%s", tc.want, p.log)
			}
		})
	}
}

func TestBadWorkers(t *testing.T) {
	for _, value := range []string{"many", "0", "-1", "1e3", "100000"} {
		p := launch(t, "serve", master.Config{}, "ROTA_WORKERS="+value)
		if status := p.wait(); status != 1 {
			t.Errorf("%s: exit status %d, want log.Fatal's 1", value, status)
		}
		if want := fmt.Sprintf("ROTA_WORKERS is %q", value); !strings.Contains(p.log.String(), want) {
			t.Errorf("log has no %q:\n%s", want, p.log)
		}
		if n := p.log.Count("rota: master"); n > 0 {
			t.Errorf("something was half started:\n%s", p.log)
		}
	}
}

func TestWorkersFromTheEnvironment(t *testing.T) {
	p := launch(t, "serve", master.Config{}, "ROTA_WORKERS=3")
	p.waitLog("worker ready", 3)
	auto := launch(t, "serve", master.Config{}, "ROTA_WORKERS=auto")
	auto.waitLog("worker ready", 1)
}

// An executable that is gone fails the reload, and nothing else.
func TestExecutableGone(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "server")
	copyFile(t, self(t), exe)
	cfg := quick(1)
	cfg.Exec = exe
	p := start(t, "serve", cfg)
	l := startLoad(p.addr(), "/", 4)
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	p.signal(1)
	p.waitLog("reload failed", 1)
	if !strings.Contains(p.log.String(), exe) {
		t.Errorf("the log doesn't name %s:\n%s", exe, p.log)
	}
	// A crash is another matter: the generation's executable is kept open.
	kill(t, p.living()[0])
	p.waitLog("worker ready", 2)
	copyFile(t, self(t), exe)
	p.reload()
	l.end()
	t.Log(l)
	if l.refused > 0 {
		t.Errorf("%d refused", l.refused)
	}
}

// With ROTA=off it is net.Listen: one process, no master.
func TestOff(t *testing.T) {
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), "ROTA=off", helperEnv+"=listen-once", flagsEnv+"=tcp 127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "*net.TCPListener"; !strings.Contains(string(out), want) {
		t.Errorf("%s, want %s", out, want)
	}
}

// The master never comes to a Setup after Listen: the worker is the only one who can say
// that it is in vain.
func TestSetupTooLate(t *testing.T) {
	lab := start(t, "lab", quick(1)).labs(1)[0]
	if _, err := lab.try("setup"); err == nil || !strings.Contains(err.Error(), "setup after Listen") {
		t.Errorf("Setup after Listen in a worker: %v, want an error that says so", err)
	}
}
