package grace

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func inBubble(t *testing.T, f func(t *testing.T, g *Grace)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := New()
		defer g.End()
		f(t, g)
	})
}

// The last order counts, also one before the beginning.
func TestGrace(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(g *Grace)
		want time.Duration
	}{
		"begun":                  {func(g *Grace) { g.Begin(time.Minute) }, time.Minute},
		"none":                   {func(g *Grace) { g.Begin(0) }, 0},
		"set before":             {func(g *Grace) { g.Set(time.Hour); g.Begin(time.Minute) }, time.Hour},
		"shorter":                {func(g *Grace) { g.Begin(time.Hour); time.Sleep(time.Second); g.Set(time.Second) }, 2 * time.Second},
		"longer":                 {func(g *Grace) { g.Begin(time.Second); g.Set(time.Hour) }, time.Hour},
		"bounded after no limit": {func(g *Grace) { g.Begin(NoLimit); time.Sleep(time.Hour); g.Set(0) }, time.Hour},
		"ended":                  {func(g *Grace) { g.Begin(NoLimit); time.Sleep(time.Second); g.End() }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, g *Grace) {
				begin := time.Now()
				tc.do(g)
				<-g.Done()
				if d := time.Since(begin); d != tc.want || g.Took() != tc.want {
					t.Errorf("it took %v, and says %v; want %v", d, g.Took(), tc.want)
				}
				if err := g.Err(); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("it ends with %v", err)
				}
			})
		})
	}
}

// Half of the grace counts as it was set last.
func TestIsHalfOver(t *testing.T) {
	inBubble(t, func(t *testing.T, g *Grace) {
		want := func(is bool) {
			t.Helper()
			if g.IsHalfOver() != is {
				t.Errorf("half over: %v", !is)
			}
		}
		want(false)
		g.Begin(NoLimit)
		time.Sleep(time.Hour)
		want(false)
		g.Set(2 * time.Hour)
		want(false)
		time.Sleep(30 * time.Minute)
		want(true)
		g.Set(2 * time.Hour)
		want(false)
		g.End()
		want(true)
	})
}

// Without a limit it doesn't end, and has no deadline. With one a context made of it has that too.
func TestDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, g *Grace) {
		g.Begin(NoLimit)
		time.Sleep(1000 * time.Hour)
		if _, ok := g.Deadline(); ok || g.Err() != nil || g.Left() < 1000*time.Hour {
			t.Errorf("no limit: a deadline %t, %v, %v left", ok, g.Err(), g.Left())
		}
		g.Set(time.Minute)
		ctx, cancel := context.WithTimeout(g, time.Hour)
		defer cancel()
		if end, ok := ctx.Deadline(); !ok || time.Until(end) != time.Minute {
			t.Errorf("a context of it ends in %v, %t", time.Until(end), ok)
		}
		<-ctx.Done()
	})
}
