//go:build linux

package process

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/worker"
)

// stdin is server.Serve, in a program that reads its standard input to the end first.
func stdin() {
	ln := server.MustListen()
	b, err := io.ReadAll(os.Stdin)
	fmt.Fprintf(os.Stderr, "standard input: %q, error %v\n", b, err)
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

// waitInStart waits, in a worker, until the test lets it go on.
func waitInStart() {
	dir, id := os.Getenv(e2etest.FlagsEnv), itoa(worker.Self().ID())
	_ = os.WriteFile(filepath.Join(dir, "waits"+id), nil, 0o644)
	for {
		if e2etest.Exists(filepath.Join(dir, "go"+id)) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A package that imports rota may take long to be initialised.
func init() {
	if os.Getenv(e2etest.HelperEnv) == "slow init" && rota.IsWorker() {
		waitInStart()
	}
}

// slowMain is server.Serve, in a program that takes long before Listen.
func slowMain() {
	if rota.IsWorker() {
		waitInStart()
	}
	server.Serve()
}

// umask0 listens on the unix socket of the flags with the umask 0.
func umask0() {
	old := syscall.Umask(0)
	ln, err := rota.Listen("unix", os.Getenv(e2etest.FlagsEnv))
	syscall.Umask(old)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer))) }()
}

func umaskFirst() {
	umask0()
	server.Serve()
}

func umaskSecond() {
	ln := server.MustListen()
	umask0()
	log.Fatal(http.Serve(ln, http.HandlerFunc(server.Answer)))
}

// role is a server that prints its address and its role itself.
func role() {
	ln := server.MustListen()
	fmt.Fprintln(os.Stderr, e2etest.PlainReady(os.Getpid(), ln.Addr().String()))
	fmt.Fprintf(os.Stderr, "worker: %t, variables: %q%q%q\n", rota.IsWorker(), os.Getenv("ROTA_WORKER"), os.Getenv("ROTA_MASTER"), os.Getenv("ROTA_UPGRADE"))
	log.Fatal(http.Serve(ln, nil))
}

// attacker starts the program of the flags with a link of its own, and with every variable
// that rota knows, and prints how much the program has written to the link when it serves.
func attacker() {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	end := os.NewFile(uintptr(fds[1]), "link")
	cmd := exec.Command("sh", "-c", `ROTA_MASTER='{"pid":'$$'}' exec "$0"`, os.Getenv(e2etest.FlagsEnv))
	cmd.Env = append(os.Environ(), "ROTA_WORKER=fd=3 id=1 slot=0 generation=1 master=1",
		"ROTA_UPGRADE=1", "TABLEFLIP_HAS_PARENT_7DIU3=yes", e2etest.HelperEnv+"="+"role")
	cmd.ExtraFiles = []*os.File{end, end, end}
	out, err := cmd.StderrPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	for s := bufio.NewScanner(out); s.Scan(); {
		fmt.Fprintln(os.Stderr, s.Text())
		if strings.HasPrefix(s.Text(), "worker:") {
			n, _, _ := unix.Recvfrom(fds[0], make([]byte, 100), unix.MSG_DONTWAIT)
			fmt.Fprintf(os.Stderr, "the attacker has read %d bytes\n", max(n, 0))
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

func itoa(n int) string { return strconv.Itoa(n) }

// shell runs a shell command in a worker and returns its output.
func shell(t *testing.T, p *e2etest.Process, command string) string {
	t.Helper()
	out, err := e2etest.Request("tcp", p.Addr(), "/?spawn="+url.QueryEscape(command))
	e2etest.NoError(t, err)
	return out
}
