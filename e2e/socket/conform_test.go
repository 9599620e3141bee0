//go:build linux

package socket

import (
	"flag"
	"fmt"
	"log"
	"regexp"
	"strings"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/listentest"
)

// The listeners and packet conns of a worker behave as those of package net: the whole
// suite of listentest passes in a worker of a real master.

// conform is a worker that runs one test of this package, because the suite needs a
// *testing.T.
func conform() {
	if rota.IsMaster() {
		server.Serve() // starts the rota and doesn't return
	}
	for name, value := range map[string]string{"test.run": "^TestConformanceInWorker$", "test.v": "true"} {
		if err := flag.Set(name, value); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("suite ends:", tests.Run())
	server.Serve()
}

// TestConformanceInWorker runs in a worker of TestConformance.
func TestConformanceInWorker(t *testing.T) {
	if !rota.IsWorker() {
		t.Skip("a worker of TestConformance runs it")
	}
	shared := listentest.Options{Shared: true}
	t.Run("listener", func(t *testing.T) { shared.TestListener(t, rota.Listen) })
	t.Run("packet", func(t *testing.T) { shared.TestPacketConn(t, rota.ListenPacket) })
}

func TestConformance(t *testing.T) {
	p := e2etest.Start(t, "conform", server.Quick(1)) // the worker is ready at the first Accept of the suite
	p.WaitOutput("suite ends", 1)
	output := p.Log.String()
	passed := len(regexp.MustCompile(`(?m)^ +--- PASS: `).FindAllString(output, -1))
	if p.Log.Count("suite ends: 0") != 1 || passed < 200 {
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
