//go:build linux

package upgrade

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// opensLate is a server that listens on one more address, a unix socket, when it is asked to.
func opensLate() {
	ln := server.MustListen()
	http.HandleFunc("/open", func(w http.ResponseWriter, _ *http.Request) {
		late, err := rota.Listen("unix", os.Getenv(pathEnv))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		go func() { _ = http.Serve(late, http.HandlerFunc(server.Answer)) }()
		fmt.Fprint(w, "open")
	})
	http.HandleFunc("/", server.Answer)
	_ = http.Serve(ln, nil)
}

// A socket that is being opened for a worker of the old master when the new one is ready
// is the new master's too: its workers get it, although the old master's worker holds it.
func TestUpgradeDuringBind(t *testing.T) {
	t.Parallel()
	dir := e2etest.ShortDir(t)
	p := e2etest.Start(t, "opens-late", server.Quick(1), pathEnv+"="+filepath.Join(dir, "s"))
	old, err := e2etest.Request("tcp", p.Addr(), "/")
	e2etest.NoError(t, err)
	lock, err := os.Open(dir)
	e2etest.NoError(t, err)
	defer lock.Close()
	e2etest.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)) // the master waits for it
	opened := make(chan error, 1)
	go func() {
		body, err := e2etest.Request("tcp", p.Addr(), "/open")
		if err == nil && body != "open" {
			err = fmt.Errorf("the old worker: %s", body)
		}
		opened <- err
	}()
	p.InFlight("/?sleep=3s") // keeps the old worker, and its socket
	p.Signal(syscall.SIGUSR2)
	p.WaitLog(e2etest.WorkerReady, 2)
	e2etest.NoError(t, lock.Close())
	e2etest.NoError(t, <-opened)
	p.WaitLog(e2etest.TookOver, 1)
	fresh := 0 // answers in a row that were not the old worker's, which has stopped to accept then
	e2etest.WaitFor(t, "the new worker alone", func() bool {
		body, err := e2etest.Request("tcp", p.Addr(), "/")
		if fresh++; err != nil || body == old {
			fresh = 0
		}
		return fresh == 20
	})
	body, err := e2etest.Request("tcp", p.Addr(), "/open")
	if err != nil || body != "open" {
		t.Errorf("the new worker: %s %v", body, err)
	}
}
