//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// Rule 1 and 2: the same address in every worker and every generation is one
// socket, also where the address is port 0.

func TestWorkersShareOneSocket(t *testing.T) {
	p := start(t, "serve", quick(2))
	addr := p.addr()
	if n := p.log.Count("on=[" + addr + "]"); n != 2 {
		t.Fatalf("%d of 2 workers listen on %s:\n%s", n, addr, p.log)
	}
	seen := map[string]bool{}
	waitFor(t, "both workers to answer", func() bool {
		body, err := request("tcp", addr, "/")
		if err != nil {
			t.Fatal(err)
		}
		seen[workerOf(body)] = true
		return len(seen) == 2
	})
	p.reload()
	if n := p.log.Count("on=[" + addr + "]"); n != 4 {
		t.Errorf("after a reload %d of 4 workers were on %s:\n%s", n, addr, p.log)
	}
}

func workerOf(body string) string { return strings.Fields(body)[3] }

func TestPortZeroByNumber(t *testing.T) {
	p := start(t, "two-ports", quick(2))
	p.waitLog("ports", 2)
	kill(t, p.living()[0])
	p.waitLog("ports", 3)
	p.reload()
	p.waitLog("ports", 5)
	lines := map[string]bool{}
	for _, line := range strings.Split(p.log.String(), "\n") {
		if strings.HasPrefix(line, "ports") {
			lines[line] = true
		}
	}
	if len(lines) != 1 {
		t.Errorf("the workers have different ports: %v", lines)
	}
	for line := range lines {
		if f := strings.Fields(line); f[1] == f[2] || f[1] != f[3] {
			t.Errorf("%s: want two ports, and after Close the first again", line)
		}
	}
}
