//go:build linux

package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/health"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// healthEnv has the address of the health of healthy.
const healthEnv = "TEST_HEALTH"

// healthy is Version with a master whose health is served.
func healthy() {
	rota.OnMaster(health.Serve(health.Config{HTTP: os.Getenv(healthEnv)}))
	server.Version()
}

// Balancers are told to send their clients elsewhere, by the command, while everybody is served
// and a reload and an upgrade go on; undrain takes it back.
func TestDrain(t *testing.T) {
	t.Parallel()
	address := e2etest.FreeAddress(t)
	s := startAs(t, "healthy", func(c *master.Config) { c.StopDelay = time.Second }, healthEnv+"="+address)
	ready := func() bool {
		answer, err := e2etest.Request("tcp", address, "/readyz")
		if err != nil && !strings.Contains(err.Error(), "503") {
			t.Errorf("/readyz: %v", err)
		}
		return err == nil && strings.Contains(answer, "2 of 2") && !strings.Contains(answer, "drained")
	}
	e2etest.WaitFor(t, "ready", ready)
	l := e2etest.StartLoad(s.Addr(), "/", 2)
	s.rota(done, "drain")
	e2etest.WaitFor(t, "the checks to fail", func() bool { return !ready() })
	out, _ := s.rota(done, "status")
	contains(t, out, "serving, generation 1, drained")
	s.rota(done, "drain") // it is
	s.rota(done, "reload")
	s.rota(done, "upgrade")
	if ready() || !s.status().Drained {
		t.Error("an upgrade has ended the drain")
	}
	s.rota(done, "undrain")
	e2etest.WaitFor(t, "ready again", ready)
	l.MustBeWhole(t)
	out, _ = s.rota(done, "history")
	if strings.Count(out, " drain by uid ") != 1 || strings.Count(out, " undrain by uid ") != 1 {
		t.Errorf("history:\n%s", out)
	}
	s.rota(usage, "drain", "x")
}
