package logline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/reload"
)

func TestClean(t *testing.T) {
	long := strings.Repeat("a", Max)
	for _, tc := range []struct {
		text, want string
		lines      bool
	}{
		{"", "", false},
		{"listen tcp 127.0.0.1:80: é 世", "listen tcp 127.0.0.1:80: é 世", false},
		{"one\ntwo\tthree\r", `one\ntwo\tthree\r`, false},
		{"one\ntwo\tthree\r", "one\ntwo\tthree\r", true},
		{"\x1b[2Jclear\x00\x7f", `\x1b[2Jclear\x00\x7f`, true},
		{"csi \u009b, right to left \u202e", `csi \u009b, right to left \u202e`, true},
		{"not UTF-8 \xff\xfe", `not UTF-8 \xff\xfe`, true},
		{long, long, false},
		{long + "b", long + "… (8193 bytes)", false},
	} {
		if got := Clean(tc.text, tc.lines); got != tc.want {
			t.Errorf("%.40q (lines %t): %.60q, want %.60q", tc.text, tc.lines, got, tc.want)
		}
	}
}

// raw is a handler that escapes nothing, as those of other modules may.
type raw struct {
	slog.Handler
	b *bytes.Buffer
}

func (h raw) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprint(h.b, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(h.b, " %s=%v", a.Key, a.Value); return true })
	fmt.Fprintln(h.b)
	return nil
}

// Whatever a worker sends, a record is one line, and of bounded length.
func TestOneLine(t *testing.T) {
	var b bytes.Buffer
	for name, h := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&b, nil), "json": slog.NewJSONHandler(&b, nil), "foreign": raw{slog.NewTextHandler(&b, nil), &b},
	} {
		for what, value := range map[string]any{
			"string": "one\nlevel=ERROR msg=forged\x1b[2J",
			"error":  fmt.Errorf("worker: %w", errors.New("one\ntwo\u009b")),
			"long":   strings.Repeat("x", 8<<20),
			"list":   []string{"tcp :80\n", strings.Repeat("y", 8<<20), strings.Repeat("z", 8<<20)},
		} {
			b.Reset()
			Logger(slog.New(h)).Error("rota: line", "value", value)
			if lines := strings.Count(b.String(), "\n"); lines != 1 || b.Len() > 2*Max {
				t.Errorf("%s, %s: %d lines, %d bytes", name, what, lines, b.Len())
			}
			if strings.ContainsAny(b.String(), "\x1b\u009b") {
				t.Errorf("%s, %s: control characters in %.100q", name, what, b.String())
			}
		}
	}
}

// A value that is clean reaches the handler as it is; so do attributes of With.
func TestCleanValuesStay(t *testing.T) {
	var b bytes.Buffer
	log := Logger(slog.New(slog.NewJSONHandler(&b, nil))).With("pid", 17, "on", []string{"a", "b"}).WithGroup("g")
	log.Info("rota: line", "err", errors.New("plain"), "text", "one\ntwo")
	want := `"msg":"rota: line","pid":17,"on":["a","b"],"g":{"err":"plain","text":"one\ntwo"}}` + "\n"
	if got := b.String(); !strings.HasSuffix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// queue passes lines on.
type queue struct{ slog.Handler }

func (q queue) Unwrap() slog.Handler { return q.Handler }

// Values are cleaned once, also if another handler is between.
func TestLoggerTwice(t *testing.T) {
	first := Logger(slog.New(slog.DiscardHandler))
	for _, l := range []*slog.Logger{first, slog.New(queue{first.Handler()})} {
		if Logger(l) != l {
			t.Errorf("%T is wrapped again", l.Handler())
		}
	}
}

// A worker that drains and then ends as the usual main does has not failed.
func TestEnding(t *testing.T) {
	drained := &reload.Member{Draining: time.Now()}
	for _, tc := range []struct {
		m    *reload.Member
		code int
		want string
	}{
		{drained, 1, "as asked (text)"},
		{drained, 2, "text"},
		{drained, 0, "text"},
		{&reload.Member{}, 1, "text"},
	} {
		if got := ending(tc.m, tc.code, "text"); got != tc.want {
			t.Errorf("%d: %q, want %q", tc.code, got, tc.want)
		}
	}
}
