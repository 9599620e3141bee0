//go:build linux

package upgrade

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

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

// opensBoth is a server whose workers open one more address: that of the first master when it
// is asked to, and that of the second in its start, when the file is there.
func opensBoth() { open2(false) }

// opensFirst is opensBoth, but a worker of the second opens the address before it waits.
func opensFirst() { open2(true) }

func open2(first bool) {
	ln := server.MustListen()
	late := os.Getenv(pathEnv)
	open := func() error {
		addr, err := os.ReadFile(late + ".address")
		must(err)
		second, err := rota.Listen("tcp", string(addr))
		if err == nil {
			go func() { _ = http.Serve(second, http.HandlerFunc(server.Answer)) }()
		}
		return err
	}
	if e2etest.Exists(late) { // of the new master
		if first {
			must(open())
		}
		fmt.Fprintln(os.Stderr, "the new one is there")
		for i := 0; i < 1000; i++ {
			if e2etest.Exists(late + ".go") {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !first {
			must(open())
		}
	}
	http.HandleFunc("/open", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "open ", open()) })
	http.HandleFunc("/", server.Answer)
	_ = http.Serve(ln, nil)
}

// openDuringStart starts a helper and its upgrade, and returns when the worker of one master has opened
// addr while that of the new one waits in its start, until a file at late + ".go" is there.
func openDuringStart(t *testing.T, helper string) (p *e2etest.Process, late, addr string) {
	t.Helper()
	late, addr = filepath.Join(e2etest.ShortDir(t), "late"), e2etest.FreeAddress(t)
	writeFile(t, late+".address", addr)
	p = e2etest.Start(t, helper, server.Quick(1), pathEnv+"="+late)
	writeFile(t, late, "")
	p.Signal(syscall.SIGUSR2)
	p.WaitOutput("the new one is there", 1)
	body, err := e2etest.Request("tcp", p.Addr(), "/open")
	if err != nil || body != "open <nil>" {
		t.Fatal(body, err)
	}
	return p, late, addr
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	e2etest.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// A socket that was opened for a worker of the old master while the new master's workers start
// is theirs too.
func TestUpgradeDuringStart(t *testing.T) {
	t.Parallel()
	p, late, addr := openDuringStart(t, "opens-both")
	writeFile(t, late+".go", "")
	p.WaitLog(e2etest.TookOver, 1)
	_, err := e2etest.Request("tcp", addr, "/")
	e2etest.NoError(t, err)
}

// A socket that was opened for a worker of the new master, which waits in its start, is the old
// master's too if a worker of that wants it. It stays when the upgrade fails.
func TestOldWorkerWantsSocketOfNewMaster(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		p, late, addr := openDuringStart(t, "opens-first")
		if fails {
			workers := e2etest.WorkersOf(p.PID())
			for _, pid := range p.Children() {
				if !slices.Contains(workers, pid) { // the new master
					e2etest.Kill(t, pid)
				}
			}
			p.WaitLog(e2etest.UpgradeFailed, 1)
			_, err := e2etest.Request("tcp", addr, "/")
			e2etest.NoError(t, err)
			continue
		}
		writeFile(t, late+".go", "")
		p.WaitLog(e2etest.TookOver, 1)
		_, err := e2etest.Request("tcp", addr, "/")
		e2etest.NoError(t, err)
	}
}
