package logline

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
)

// A step of a worker is one line that says which worker it is about. If nobody wants such lines, nothing is made
// for them.
func TestLife(t *testing.T) {
	m := &reload.Member{ID: 3, Slot: 1, Generation: 2, Started: time.Now()}
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: `msg="rota: worker has a socket" worker=3 pid=4 slot=1 generation=2 after=`, slog.LevelInfo: "",
	} {
		var out bytes.Buffer
		l := Worker{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))}
		made := testing.AllocsPerRun(10, func() { l.Given(m, 4, "tcp :80") })
		if !strings.Contains(out.String(), want) || (want == "") != (out.Len() == 0) {
			t.Errorf("%v: got %q, want %q", level, &out, want)
		}
		if level == slog.LevelInfo && made > 2 {
			t.Errorf("%v allocations for a line that nobody wants", made)
		}
	}
}
