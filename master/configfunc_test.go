package master

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

// misbehaviour are the ways in which a function of the program may not return.
var misbehaviour = map[string]func(){
	"panics":           func() { panic("no") },
	"ends a goroutine": runtime.Goexit,
}

// An Allow that doesn't return refuses the socket.
func TestAllowThatFails(t *testing.T) {
	for name, do := range misbehaviour {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Allow: func(*Worker, SocketRequest) error { do(); return nil }}
			inBubble(t, cfg, func(t *testing.T, b *bench) {
				p := b.forked(t, 1)[0]
				if err := errorOf(p.listen("tcp", ":80")); err == nil || !strings.Contains(err.Error(), "Config.Allow") {
					t.Errorf("listen: %v, want an error that names Config.Allow", err)
				}
				b.wantLiving(t, 1)
			})
		})
	}
}

// If Config.Env doesn't return, no worker is started, and the error names it.
func TestEnvThatFails(t *testing.T) {
	for name, do := range misbehaviour {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Env: func() []string { do(); return nil }, Logger: slog.New(slog.DiscardHandler)}
			if _, err := prepareGeneration(1, cfg, nil); err == nil || !strings.Contains(err.Error(), "Config.Env") {
				t.Errorf("%v, want an error that names Config.Env", err)
			}
		})
	}
}

// foreign is a handler that escapes nothing.
type foreign struct {
	slog.Handler
	lines *[]string
}

func (h foreign) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { *h.lines = append(*h.lines, a.Value.String()); return true })
	return nil
}

// What the master logs is one line of bounded length, whatever Config.Logger does with it.
func TestLogIsOneLine(t *testing.T) {
	var lines []string
	cfg := Config{Logger: slog.New(foreign{slog.NewTextHandler(io.Discard, nil), &lines})}
	cfg.logger().Error("rota: line", "err", errors.New("one\ntwo"))
	if len(lines) != 1 || lines[0] != `one\ntwo` {
		t.Errorf("logged %q", lines)
	}
}
