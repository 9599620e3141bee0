package child

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/logline"
	"github.com/rota-go/rota/reload"
)

// Only workers that serve, are ready and have a limit are measured; one that is to be replaced
// already is not.
func TestCareLimits(t *testing.T) {
	now := time.Now()
	patient := func(limit int64, m reload.Member) *Patient {
		return &Patient{Member: &m, Changed: func() {}, Process: func() *Process { return nil }, Memory: limit}
	}
	c := &Care{Lines: logline.Worker{Logger: slog.New(slog.DiscardHandler)}, Replaced: func(int, string) {}}
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

// A worker that leaves already, as in a reload, is not replaced once more for the requests that it still answers.
func TestCareRecycles(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		worker reload.Member
		want   int
	}{
		{reload.Member{Ready: now}, 1}, {reload.Member{}, 1}, {reload.Member{Ready: now, Draining: now}, 0},
		{reload.Member{Ready: now, Unlinked: now}, 0}, {reload.Member{Exited: now}, 0},
	} {
		replaced := 0
		c := &Care{Lines: logline.Worker{Logger: slog.New(slog.DiscardHandler)}, Replaced: func(int, string) { replaced++ }}
		p := &Patient{Member: &tc.worker, Changed: func() {}, Process: func() *Process { return nil }}
		c.Recycle(p, "requests")
		if c.Recycle(p, "age"); replaced != tc.want {
			t.Errorf("%+v: replaced %d times, want %d", tc.worker, replaced, tc.want)
		}
	}
}

// What a worker says is logged once a minute, however often it says it, and stays until it is well
// again. Health checks that have failed can't be taken back.
func TestCareReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		c := &Care{Lines: logline.Worker{Logger: slog.New(slog.NewTextHandler(&log, nil))}, Replaced: func(int, string) {}}
		p := &Patient{Member: &reload.Member{}, Changed: func() {}, Process: func() *Process { return nil }}
		for range 10 {
			c.Reported(p, "no database")
			c.Reported(p, "")
			time.Sleep(10 * time.Second)
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 2 || p.Fault != nil {
			t.Errorf("%d lines, fault %v:\n%s", n, p.Fault, &log)
		}
		c.Reported(p, strings.Repeat("x", 1<<16))
		if n := len(p.Fault.Error()); !errors.Is(p.Fault, reload.ErrReported) || n > 2000 {
			t.Errorf("%d bytes", n)
		}
		c.unwell(p, errors.New("no answer"), 3)
		if c.Reported(p, ""); !errors.Is(p.Fault, reload.ErrUnwell) {
			t.Errorf("fault %v", p.Fault)
		}
	})
}

// A worker is replaced after as many failures in a row as are configured, by default three.
func TestCareReplacesTheUnwell(t *testing.T) {
	for configured, want := range map[int]int{0: 3, 1: 1, 5: 5} {
		c := &Care{Lines: logline.Worker{Logger: slog.New(slog.DiscardHandler)}, Replaced: func(int, string) {}}
		p := &Patient{Member: &reload.Member{}, Changed: func() {}, Process: func() *Process { return nil }, Failures: configured}
		n := 0
		for ; !p.Recycle; n++ {
			c.unwell(p, errors.New("no database"), n+1)
		}
		if n != want {
			t.Errorf("HealthFailures %d: replaced after %d, want %d", configured, n, want)
		}
	}
}
