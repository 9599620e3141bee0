//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
)

// rolls waits until a generation is rolled out.
func (s *service) rolls(generation int) {
	s.t.Helper()
	e2etest.WaitFor(s.t, "the reload", func() bool { return s.status().Next == generation })
}

// A reload that is paused stays where it is, and its canary's time with it, until it is resumed. No
// request fails.
func TestPause(t *testing.T) {
	t.Parallel()
	const trial = time.Second
	s := start(t, func(c *master.Config) { c.Canary, c.CanaryTime = 1, 10*time.Second })
	l := e2etest.StartLoad(s.Addr(), "/", 4)
	for _, command := range []string{"pause", "resume"} {
		_, errs := s.rota(failed, command)
		contains(t, errs, "no reload")
	}
	s.rota(done, "reload", "-canary", "1", "-for", trial.String(), "-wait=false")
	s.rolls(2)
	s.rota(done, "pause")
	s.onTrial(2)
	for end := time.Now().Add(3 * trial); time.Now().Before(end); {
		if st := s.status(); st.Next != 2 || st.Paused.IsZero() {
			t.Fatalf("it goes on in the pause: %+v", st)
		}
	}
	s.onTrial(2)
	out, _ := s.rota(done, "status")
	contains(t, out, "rolling out 2, paused for ")
	s.rota(done, "resume")
	e2etest.WaitFor(t, "generation 2", func() bool { return s.status().Generation == 2 })
	l.MustBeWhole(t)
	s.release.Write("reports")
	s.rota(done, "reload", "-wait=false")
	s.rolls(3)
	s.rota(done, "pause")
	e2etest.WaitFor(t, "the roll-back", func() bool { return s.status().Phase == "serving" })
	out, _ = s.rota(done, "history")
	contains(t, out, server.Reported)
	if st := s.status(); st.Generation != 2 || !st.Paused.IsZero() {
		t.Errorf("%+v", st)
	}
}
