//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// Under load, a release whose canary dies is rolled back, one that is well goes on by itself, and
// one that waits is promoted or aborted by hand. No request fails that reached an old worker.
func TestCanary(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *master.Config) { c.Canary, c.CanaryTime = 1, time.Second })
	l := e2etest.StartLoad(s.Addr(), "/", 4)
	begun := time.Now()
	s.rota(done, "reload")
	if took := time.Since(begun); took < time.Second {
		t.Errorf("the canary was tried for %v", took)
	}
	s.WaitLog(e2etest.CanariesUnjudged, 1) // the server doesn't use package rotahttp
	_, errs := s.rota(failed, "promote")
	contains(t, errs, "no reload")
	s.rota(done, "reload", "-wait=false")
	s.onTrial(3)
	s.rota(done, "promote")
	e2etest.WaitFor(t, "generation 3", func() bool { return s.status().Generation == 3 })
	s.rota(done, "reload", "-wait=false")
	s.onTrial(4)
	s.rota(done, "abort")
	e2etest.WaitFor(t, "the roll-back", func() bool { return s.status().Phase == "serving" })
	l.MustBeWhole(t)
	s.release.Write("dies")
	_, errs = s.rota(failed, "reload")
	contains(t, errs, "died: exit status 4")
	out, _ := s.rota(done, "history")
	contains(t, out, "generation 4: aborted")
	s.release.Write("reports")
	_, errs = s.rota(failed, "reload")
	contains(t, errs, "says that it is not well: "+server.Reported)
	if st := s.status(); st.Generation != 3 {
		t.Errorf("generation %d", st.Generation)
	}
}

// onTrial waits until a canary of generation is ready, beside two workers of before.
func (s *service) onTrial(generation int) {
	s.t.Helper()
	e2etest.WaitFor(s.t, "a canary", func() bool {
		of := map[bool]int{}
		for _, w := range s.status().Workers {
			if w.IsServing() {
				of[w.Generation == generation]++
			}
		}
		return of[true] == 1 && of[false] == 2
	})
}
