//go:build linux

package master

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/child"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/wire"
)

// blockedHandler is a log that nobody reads.
type blockedHandler struct {
	slog.Handler
	gate chan struct{}
}

func (h blockedHandler) Handle(context.Context, slog.Record) error { <-h.gate; return nil }

// closesIn calls Close, and fails the test if it takes longer than limit.
func closesIn(t *testing.T, m *Master, limit time.Duration) {
	t.Helper()
	begin := time.Now()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > limit {
		t.Errorf("Close takes %v, want at most %v", took, limit)
	}
}

// A log that nobody reads stops nothing: workers are started again, reloads and stops are
// carried out, and the end doesn't wait for it for longer than logTimeout.
func TestBlockedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		o := &fakeOS{}
		b := &bench{os: o, result: make(chan error, 1)}
		b.Master = newMaster(Config{Workers: 2, Logger: slog.New(blockedHandler{slog.DiscardHandler, gate})}, o.sys())
		ctx, stop := context.WithCancel(t.Context())
		go func() { b.result <- b.Run(ctx) }()
		synctest.Wait()
		b.proc(1).die(Exit{Code: 1})
		elapse(time.Second)
		b.wantLiving(t, 2, 3)
		if err := b.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-b.result; err != nil {
			t.Error(err)
		}
		closesIn(t, b.Master, time.Second)
		close(gate)
	})
}

// Close doesn't wait for what doesn't return, and what it returns then is released.
func TestCloseLeavesWhatBlocks(t *testing.T) {
	forever := make(chan struct{})
	for _, tt := range []struct {
		name  string
		cfg   Config
		block func(s *sys)
	}{
		{name: "Config.Allow", cfg: Config{Allow: func(*Worker, SocketRequest) error { <-forever; return nil }}},
		{name: "a name server that heeds the context", block: func(s *sys) {
			s.open = func(ctx context.Context, _ sockets.Request) (sockets.Opened, error) {
				<-ctx.Done()
				return sockets.Opened{}, ctx.Err()
			}
		}},
		{name: "a bind", block: func(s *sys) {
			open := s.open
			s.open = func(ctx context.Context, r sockets.Request) (sockets.Opened, error) {
				<-forever
				return open(ctx, r)
			}
		}},
		{name: "Config.Env", block: func(s *sys) {
			prepare := s.prepare
			s.prepare = func(n int, cfg Config, f *os.File) (*generation, error) { <-forever; return prepare(n, cfg, f) }
		}},
		{name: "a start", block: func(s *sys) {
			spawn := s.spawn
			s.spawn = func(i *process.Image, id link.Identity, env map[string]string) (*child.Process, error) {
				<-forever
				return spawn(i, id, env)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forever = make(chan struct{})
				o := &fakeOS{script: func(p *fakeProc) {
					p.hello()
					p.frames <- link.Packet{Frame: wire.Frame{Type: wire.Listen, Call: 1, Body: wire.Body(bind.Request{Network: "tcp", Address: ":80"})}}
					<-p.died
				}}
				s := o.sys()
				if tt.block != nil {
					tt.block(&s)
				}
				tt.cfg.Logger = slog.New(slog.DiscardHandler)
				b := &bench{Master: newMaster(tt.cfg, s), os: o, result: make(chan error, 1)}
				b.run()
				closesIn(t, b.Master, time.Second)
				<-b.result
				close(forever)
				synctest.Wait() // nothing is left, or the bubble fails
				for _, p := range o.procs {
					if p.exit.Signal != os.Kill {
						t.Errorf("worker %d has not been killed", p.id.ID)
					}
				}
			})
		})
	}
}

// A stop doesn't wait without end for workers that SIGKILL doesn't end.
func TestStopLeavesUnkillable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOS{script: func(p *fakeProc) { p.hello(); p.accept("tcp", ":80"); <-p.died }}
		s := o.sys()
		spawn := s.spawn
		s.spawn = func(i *process.Image, id link.Identity, env map[string]string) (*child.Process, error) {
			p, err := spawn(i, id, env)
			p.Kill = func(os.Signal) error { return nil }
			return p, err
		}
		cfg := Config{Grace: 10 * time.Second, KillAfter: time.Second, Logger: slog.New(slog.DiscardHandler)}
		b := &bench{Master: newMaster(cfg, s), os: o, result: make(chan error, 1)}
		ctx, stop := context.WithCancel(t.Context())
		go func() { b.result <- b.Run(ctx) }()
		synctest.Wait()
		begin := time.Now()
		stop()
		if err := <-b.result; err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("the stop takes %v", took)
		}
		closesIn(t, b.Master, time.Second)
		b.proc(1).die(Exit{})
	})
}

// The PID file is written when the first workers are ready, and gone when Run returns. That it
// can't be written is no failure.
func TestPIDFileOfRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	for _, path := range []string{path, filepath.Join(path, "none")} {
		inBubble(t, Config{PIDFile: path}, func(t *testing.T, b *bench) {
			ctx, stop := context.WithCancel(t.Context())
			go func() { b.result <- b.Run(ctx) }()
			elapse(time.Second)
			if _, err := os.Stat(path); err != nil && filepath.Base(path) == "pid" {
				t.Error(err)
			}
			stop()
			if err := <-b.result; err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("the PID file is left")
			}
		})
	}
}
