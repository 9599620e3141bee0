// Package logline keeps what a master logs in one line of bounded length. Errors, addresses
// and names in it may come from a worker, which may be in an attacker's hands.
package logline

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
)

// Max is how many bytes of a value are logged. The last lines of a silent worker's standard
// error fit.
const Max = 8 << 10

// Logger returns a logger that logs to log, with values of at most Max bytes (before escaping) and
// without control characters; nil is slog.Default(). Handlers of package slog escape ends of lines themselves; for
// others they are escaped here.
func Logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		log = slog.Default()
	}
	h := log.Handler()
	if cleans(h) {
		return log
	}
	return slog.New(&handler{Handler: h, lines: escapes(h)})
}

// cleans reports whether h, or the handler that it passes lines on to, is one of Logger.
func cleans(h slog.Handler) bool {
	for {
		switch x := h.(type) {
		case *handler:
			return true
		case interface{ Unwrap() slog.Handler }:
			h = x.Unwrap()
		default:
			return false
		}
	}
}

// escapes reports whether h is a handler of package slog, which quotes values.
func escapes(h slog.Handler) bool {
	switch h.(type) {
	case *slog.JSONHandler, *slog.TextHandler:
		return true
	}
	return fmt.Sprintf("%T", h) == "*slog.defaultHandler"
}

type handler struct {
	slog.Handler
	lines bool // values may have several lines
}

// Handle logs a record with clean values.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

// WithAttrs returns a handler whose records have attrs too.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.attr(a)
	}
	return &handler{h.Handler.WithAttrs(clean), h.lines}
}

// WithGroup returns a handler whose records are in a group.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.lines}
}

// attr returns a with a clean value. A value that is clean stays what it is.
func (h *handler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindString && v.Kind() != slog.KindAny {
		return a // a number, a time; groups are not used
	}
	text := v.String()
	if list, ok := v.Any().([]string); ok {
		text = "[" + joined(list) + "]"
	}
	if clean := Clean(text, h.lines); clean != text || len(text) > Max {
		return slog.String(a.Key, clean)
	}
	return a
}

// joined joins as much of a list as is logged.
func joined(list []string) string {
	n := 0
	for i, s := range list {
		if n += len(s); n > Max {
			return strings.Join(list[:i+1], " ")
		}
	}
	return strings.Join(list, " ")
}

// Clean returns the first Max bytes of text, with unprintable characters escaped. Ends of
// lines and tabs stay if lines is set.
func Clean(text string, lines bool) string {
	cut := ""
	if len(text) > Max {
		cut = fmt.Sprintf("… (%d bytes)", len(text))
		text = text[:Max]
	}
	if strings.IndexFunc(text, func(r rune) bool { return !isPlain(r, lines) }) < 0 {
		return text + cut
	}
	var b strings.Builder
	for i, r := range text {
		if r == unicode.ReplacementChar {
			fmt.Fprintf(&b, `\x%02x`, text[i])
		} else if isPlain(r, lines) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String() + cut
}

func isPlain(r rune, lines bool) bool {
	if r == '\n' || r == '\t' || r == '\r' {
		return lines
	}
	return unicode.IsPrint(r) && r != unicode.ReplacementChar
}
