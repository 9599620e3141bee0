//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"log"
	"regexp"
	"strings"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/listentest"
)

// The listeners and packet conns of a worker behave as those of package net: the whole
// suite of listentest passes in a worker of a real master.

func init() { helpers["conform"] = conform }

// conform is a worker that runs one test of this package, because the suite needs a
// *testing.T.
func conform() {
	if rota.IsMaster() {
		serve() // starts the rota and doesn't return
	}
	for name, value := range map[string]string{"test.run": "^TestSocketConformanceInWorker$", "test.v": "true"} {
		if err := flag.Set(name, value); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("suite ends:", tests.Run())
	serve()
}

// TestSocketConformanceInWorker runs in a worker of TestSocketConformance.
func TestSocketConformanceInWorker(t *testing.T) {
	if !rota.IsWorker() {
		t.Skip("a worker of TestSocketConformance runs it")
	}
	shared := listentest.Options{Shared: true}
	t.Run("listener", func(t *testing.T) { shared.TestListener(t, rota.Listen) })
	t.Run("packet", func(t *testing.T) { shared.TestPacketConn(t, rota.ListenPacket) })
}

func TestSocketConformance(t *testing.T) {
	p := start(t, "conform", quick(1)) // the worker is ready at the first Accept of the suite
	p.waitLog("suite ends", 1)
	output := p.log.String()
	passed := len(regexp.MustCompile(`(?m)^ +--- PASS: `).FindAllString(output, -1))
	if p.log.Count("suite ends: 0") != 1 || passed < 200 {
		t.Errorf("%d cases passed:\n%s", passed, verdicts(output, "FAIL"))
	}
	t.Logf("%d cases passed, skipped:\n%s", passed, verdicts(output, "SKIP"))
}

// verdicts returns the cases with a verdict, such as FAIL, and their logs.
func verdicts(log, verdict string) string {
	var lines []string
	on := false
	for _, line := range strings.Split(log, "\n") {
		if trimmed := strings.TrimLeft(line, " "); strings.HasPrefix(trimmed, "--- ") {
			on = strings.HasPrefix(trimmed, "--- "+verdict)
		}
		if on {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
