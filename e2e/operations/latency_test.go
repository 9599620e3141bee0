//go:build linux

package operations

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// BenchmarkReloadLatency measures from SIGHUP to the end of the reload, without a trial.
func BenchmarkReloadLatency(b *testing.B) {
	for _, tc := range []struct {
		workers int
		want    time.Duration
	}{{1, 60 * time.Millisecond}, {8, 250 * time.Millisecond}} {
		b.Run(fmt.Sprint(tc.workers), func(b *testing.B) {
			cfg := server.Quick(tc.workers)
			cfg.Surge = tc.workers
			p := e2etest.Start(b, "serve", cfg)
			var took []float64
			for range 50 * b.N {
				begun := time.Now()
				p.Reload()
				took = append(took, time.Since(begun).Seconds()*1000)
				p.WaitChildren(tc.workers)
			}
			b.ReportMetric(e2etest.Median(took), "median-ms")
			b.Logf("%d workers: median %.0f ms, best %.0f, worst %.0f (want at most %v)",
				tc.workers, e2etest.Median(took), slices.Min(took), slices.Max(took), tc.want)
		})
	}
}
