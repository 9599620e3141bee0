package logline

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/settings"
)

// The level counts, and not that of the handler, also of loggers that are made of it.
func TestFrom(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if From("", log) != log {
		t.Error("without a level the logger is another one")
	}
	for i, name := range settings.Levels() {
		out.Reset()
		l := From(name, Logger(log)).With("a", 1).WithGroup("g")
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			l.Log(context.Background(), level, "line", "b", "2\n")
		}
		if n := strings.Count(out.String(), "a=1"); n != 4-i || strings.Count(out.String(), "\n") != n {
			t.Errorf("%s: %d lines, want %d:\n%s", name, n, 4-i, &out)
		}
	}
}
