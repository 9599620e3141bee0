//go:build linux

// Package dev is "rota dev": it builds a program at each change of its source, and reloads it. While a new version
// is built and started, requests wait in the accept queue.
package dev

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rota-go/rota/internal/control"
	"github.com/rota-go/rota/internal/controlclient"
	"github.com/rota-go/rota/watch"
)

// Options are those of the command line.
type Options struct {
	Package string        // the program, as go build takes it
	Args    []string      // of the program
	Flags   []string      // of go build
	Hold    bool          // requests wait for the new version
	Quiet   time.Duration // how long nothing may change before it is built
	Out     io.Writer     // what happens, a line each, and the compiler's words
}

// session is one "rota dev".
type session struct {
	Options
	dir    string // for the executable and the control socket; removed at the end
	source source
	held   held

	mu      sync.Mutex
	program *program // nil: it wasn't built yet
}

// Run builds and runs the program until ctx ends, and then ends it gracefully. It fails if it can't build it, and no
// change would be seen after which it could.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "rota-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &session{Options: o, dir: dir, source: source{pkg: o.Package, flags: o.Flags}}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	watch.Changes(ctx, watch.Config{First: true, List: s.source.files, Quiet: o.Quiet, Pending: func(p bool) { s.hold(ctx, p) }}, func() { s.update(ctx) })
	return nil
}

// begin finds the files of the program. Where there are none, and go build fails too, nothing can become of it.
func (s *session) begin(ctx context.Context) error {
	s.source.find(ctx)
	if !s.source.isEmpty() {
		return nil
	}
	if _, err := s.build(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: not built, and there are no files whose change to wait for: %w", s.Package, err)
	}
	return nil
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(s.Out, "rota dev: "+format+"\n", args...)
}

func (s *session) socket() string { return filepath.Join(s.dir, "rota.sock") }

// hold has the requests wait from now on, or no longer.
func (s *session) hold(ctx context.Context, on bool) {
	if !on {
		s.held.release()
	} else if s.Hold && s.running() {
		s.held.hold(ctx, s.socket())
	}
}

// update builds the program, and starts or reloads it. What was built before serves on if that fails.
func (s *session) update(ctx context.Context) {
	defer s.held.release()
	s.hold(ctx, true) // a build after which something had changed again
	began := time.Now()
	s.source.find(ctx)
	same, err := s.build(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.say("not built: %v", err)
	case s.running() && same:
		s.say("nothing has changed in the program")
	case s.running():
		s.say("built in %v, reload", time.Since(began).Round(time.Millisecond))
		s.reload(ctx)
	default:
		s.say("built in %v, start", time.Since(began).Round(time.Millisecond))
		s.start()
	}
}

// reload has the master replace the workers. A program without a master is started anew.
func (s *session) reload(ctx context.Context) {
	result, err := controlclient.Do(ctx, s.socket(), control.Request{Do: control.Reload}, func(r control.Reply) {
		if p := r.Progress; p != nil && p.Event == control.Replaced {
			s.held.releaseSlot(p.Slot)
		}
	})
	switch {
	case err != nil && s.running() && ctx.Err() == nil:
		s.say("%s; it is started anew", controlclient.Clean(err.Error()))
		s.end()
		s.start()
	case err != nil:
	case result.Code == control.Done:
		s.say("reloaded")
	default:
		s.say("the reload has failed, the version before serves on: %s", controlclient.Clean(result.Error))
	}
}
