//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// TestWorkersShareOneSocket proves that an address is one socket in all workers of all
// generations.
func TestWorkersShareOneSocket(t *testing.T) {
	p := e2etest.Start(t, "serve", server.Quick(2))
	addr := p.Addr()
	if n := p.Logged(e2etest.ListensOn(addr)); n != 2 {
		t.Fatalf("%d of 2 workers listen on %s:\n%s", n, addr, p.Log)
	}
	seen := map[string]bool{}
	e2etest.WaitFor(t, "both workers to answer", func() bool {
		body, err := e2etest.Request("tcp", addr, "/")
		if err != nil {
			t.Fatal(err)
		}
		seen[workerOf(body)] = true
		return len(seen) == 2
	})
	p.Reload()
	if n := p.Logged(e2etest.ListensOn(addr)); n != 4 {
		t.Errorf("after a reload %d of 4 workers were on %s:\n%s", n, addr, p.Log)
	}
}

func workerOf(body string) string { return strings.Fields(body)[3] }

// With port 0 each request of a worker is a socket of its own, by the index of the
// request: the n-th is the same socket in every worker.
func TestPortZeroByIndex(t *testing.T) {
	p := e2etest.Start(t, "two-ports", server.Quick(2))
	p.WaitOutput("ports", 2)
	e2etest.Kill(t, p.Children()[0])
	p.WaitOutput("ports", 3)
	p.Reload()
	p.WaitOutput("ports", 5)
	lines := server.PortLines(p)
	if len(lines) != 1 {
		t.Errorf("the workers have different ports: %v", lines)
	}
	for line := range lines {
		if f := strings.Fields(line); f[1] == f[2] || f[1] != f[3] {
			t.Errorf("%s: want two ports, and after Close the first again", line)
		}
	}
}
