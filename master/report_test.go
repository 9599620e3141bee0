package master

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// faults returns what is wrong with the workers, by id.
func faults(s status.Status) map[int]string {
	all := map[int]string{}
	for _, w := range s.Workers {
		if w.Fault != "" {
			all[w.ID] = w.Fault
		}
	}
	return all
}

// A worker of the new generation that says that it is not well ends the reload, with its words as the
// reason; one of the old generation doesn't, and its words are shown until it is well again.
func TestReport(t *testing.T) {
	cfg := Config{Workers: 2, Canary: 1}
	inBubble(t, cfg, func(t *testing.T, b *bench) {
		b.run()
		b.proc(1).say(wire.Report, wire.ReportBody{Error: "no\ndatabase"})
		elapse(0)
		const want = `says that it is not well: no\ndatabase`
		if got := faults(b.Status()); len(got) != 1 || got[1] != want {
			t.Errorf("faults %q, want %q of worker 1", got, want)
		}
		result := make(chan error, 1)
		go func() { result <- b.Reload(context.Background()) }()
		elapse(reload.Policy{}.WithDefaults().MinUptime)
		if got := b.generations(); got[1] != 2 || got[2] != 1 {
			t.Fatalf("generations %v on trial", got)
		}
		b.proc(3).say(wire.Report, wire.ReportBody{Error: "every third answer is wrong"})
		err := <-result
		failed := (*reload.Error)(nil)
		if !errors.As(err, &failed) || failed.Worker != 3 || !errors.Is(err, reload.ErrReported) || !strings.HasSuffix(err.Error(), "not well: every third answer is wrong") {
			t.Errorf("%v", err)
		}
		b.proc(1).say(wire.Report, wire.ReportBody{})
		elapse(0)
		if got := faults(b.Status()); len(got) != 0 || b.generations()[1] != 2 {
			t.Errorf("faults %q, generations %v", got, b.generations())
		}
	})
}
