package logline

import (
	"context"
	"log/slog"
	"slices"

	"github.com/rota-go/rota/internal/settings"
)

// From returns a logger that passes on to log all lines from the level with that name on, one of
// settings.Levels, whatever log's own least level is. With "" it returns log.
func From(name string, log *slog.Logger) *slog.Logger {
	if !slices.Contains(settings.Levels(), name) {
		return log
	}
	l := leveled{Handler: log.Handler()}
	_ = l.least.UnmarshalText([]byte(name)) // the names are slog's
	return slog.New(l)
}

// leveled is a handler with another least level. Handlers look at the level in Enabled, and write
// what they are given.
type leveled struct {
	slog.Handler
	least slog.Level
}

// Enabled reports whether lines of a level are logged.
func (l leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= l.least }

// WithAttrs returns a handler whose records have attrs too.
func (l leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{l.Handler.WithAttrs(attrs), l.least}
}

// WithGroup returns a handler whose records are in a group.
func (l leveled) WithGroup(name string) slog.Handler {
	return leveled{l.Handler.WithGroup(name), l.least}
}

// Unwrap returns the handler that gets the lines.
func (l leveled) Unwrap() slog.Handler { return l.Handler }
