//go:build linux

package process

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

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
		if _, err := os.Stat(filepath.Join(dir, "go"+id)); err == nil {
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

func itoa(n int) string { return strconv.Itoa(n) }

// shell runs a shell command in a worker and returns its output.
func shell(t *testing.T, p *e2etest.Process, command string) string {
	t.Helper()
	out, err := e2etest.Request("tcp", p.Addr(), "/?spawn="+url.QueryEscape(command))
	e2etest.NoError(t, err)
	return out
}
