package child

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/reload"
)

// Only workers that serve, are ready and have a limit are measured; one that is to be replaced
// already is not.
func TestCareLimits(t *testing.T) {
	now := time.Now()
	patient := func(limit int64, m reload.Member) *Patient {
		return &Patient{Member: &m, Process: func() *Process { return nil }, Memory: limit}
	}
	c := &Care{Lines: logline.Worker{Logger: slog.New(slog.DiscardHandler)}}
	c.Patients = func() []*Patient {
		return []*Patient{
			patient(100, reload.Member{ID: 1, Ready: now}),
			patient(100, reload.Member{ID: 2}),
			patient(100, reload.Member{ID: 3, Ready: now, Draining: now}),
			patient(0, reload.Member{ID: 4, Ready: now}),
			patient(100, reload.Member{ID: 5, Ready: now, Recycle: true}),
		}
	}
	if due := c.limited(); len(due) != 1 || due[0].ID != 1 {
		t.Errorf("measured: %+v, want worker 1", due)
	}
}

// A worker is replaced after as many failures in a row as are configured, by default three.
func TestCareReplacesTheUnwell(t *testing.T) {
	for configured, want := range map[int]int{0: 3, 1: 1, 5: 5} {
		c := &Care{Lines: logline.Worker{Logger: slog.New(slog.DiscardHandler)}}
		p := &Patient{Member: &reload.Member{}, Process: func() *Process { return nil }, Failures: configured}
		n := 0
		for ; !p.Recycle; n++ {
			c.unwell(p, errors.New("no database"), n+1)
		}
		if n != want {
			t.Errorf("HealthFailures %d: replaced after %d, want %d", configured, n, want)
		}
	}
}
