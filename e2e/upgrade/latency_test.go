//go:build linux

package upgrade

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// BenchmarkUpgradeLatency measures from SIGUSR2 until the old master has left, without a trial.
func BenchmarkUpgradeLatency(b *testing.B) {
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			p := e2etest.Start(b, "serve", server.Quick(workers))
			var took []float64
			for range 20 * b.N {
				begun := time.Now()
				p.Upgrade()
				took = append(took, time.Since(begun).Seconds()*1000)
			}
			b.ReportMetric(e2etest.Median(took), "median-ms")
			b.Logf("%d workers: median %.0f ms, best %.0f, worst %.0f", workers, e2etest.Median(took), slices.Min(took), slices.Max(took))
		})
	}
}
