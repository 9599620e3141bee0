//go:build linux

package e2e

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// TestNoDescriptorLeaks proves that master and workers have as many descriptors after 50
// reloads as after a few.
func TestNoDescriptorLeaks(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	p.Reload() // the first one opens what stays open
	master, workers := math.MaxInt, math.MaxInt
	for range 5 { // the least: one may be about to be closed
		p.Reload()
		p.WaitChildren(2)
		master, workers = min(master, e2etest.Descriptors(p.PID())), min(workers, p.WorkerDescriptors())
	}
	for range 50 {
		p.Reload()
	}
	p.WaitChildren(2)
	e2etest.WaitFor(t, fmt.Sprintf("%d descriptors in the master and %d in the workers, as before", master, workers),
		func() bool { return e2etest.Descriptors(p.PID()) <= master && p.WorkerDescriptors() <= workers },
		func() string {
			return fmt.Sprint("they have ", e2etest.Descriptors(p.PID()), " ", p.WorkerDescriptors())
		})
}

func TestSocketsStayNonblockingAndCloseOnExec(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	p.Reload()
	p.WaitChildren(2) // one that is about to end has no sockets any more
	for _, pid := range append(p.Children(), p.PID()) {
		if n := len(e2etest.SocketFlags(t, pid)); n < 2 { // the link and the listening socket
			t.Errorf("process %d has %d sockets", pid, n)
		}
		e2etest.SocketsAreSafe(t, pid)
	}
}

func TestWorkersChildGetsNothing(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(1))
	open, err := e2etest.Request("tcp", p.Addr(), "/?spawn="+"ls+-l+/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(open, "socket:") {
		t.Errorf("a child of a worker has a socket:\n%s", open)
	}
	env, err := e2etest.Request("tcp", p.Addr(), "/?spawn=env")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(env, "ROTA_WORKER=") {
		t.Errorf("a child of a worker has ROTA_WORKER:\n%s", env)
	}
}
