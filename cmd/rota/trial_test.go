//go:build linux

package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// One reload has canaries though none are configured, and the next has none.
func TestReloadWithCanary(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	l := e2etest.StartLoad(s.Addr(), "/", 4)
	begun := time.Now()
	s.rota(done, "reload", "-canary", "1", "-for", "1s")
	if took := time.Since(begun); took < time.Second {
		t.Errorf("the canary was tried for %v", took)
	}
	s.rota(done, "reload", "-canary", "1", "-wait=false") // for a minute, as nothing is configured
	s.onTrial(3)
	s.rota(done, "abort")
	e2etest.WaitFor(t, "the roll-back", func() bool { return s.status().Phase == "serving" })
	begun = time.Now()
	s.rota(done, "reload")
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("without a canary: %v", took)
	}
	s.release.Write("reports")
	_, errs := s.rota(failed, "reload", "-canary", "2")
	contains(t, errs, server.Reported)
	l.MustBeWhole(t)
}

func TestTrialUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-canary", "0"}, {"-canary", "-1"}, {"-canary", "5000"}, {"-for", "1s"}, {"-canary", "1", "-for", "0s"}, {"-canary", "1", "-for", "soon"},
	} {
		var out, errs bytes.Buffer
		if got := run(append([]string{"reload", "-socket", "x"}, args...), &out, &errs, os.Getenv); got != usage || errs.Len() == 0 {
			t.Errorf("%q: exit status %d, %q", args, got, &errs)
		}
	}
}
