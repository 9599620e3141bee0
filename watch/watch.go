// Package watch reloads a rota when its program, or other files, have changed: in development, or where a
// deployment can only copy files. One line before the first Listen:
//
//	rota.OnMaster(watch.Reload(watch.Config{}))
//	ln, err := rota.Listen("tcp", ":8080")
//
// A change counts when the files have stayed the same for Config.Quiet, and the executable is whole. A
// reload that fails is not tried again until something changes. Files are found by their names: they may be
// replaced, also by moving a symbolic link anywhere in their path.
//
// The system tells of changes (inotify, kqueue). As many network file systems don't, the files are also looked
// at once in five times Quiet.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// Config says what is watched.
type Config struct {
	// Files are the names of files, or of directories, of which the entries count. None means the
	// program's executable.
	Files []string
	// List returns the Files, if it isn't nil. It is called for each look at them.
	List func() []string
	// Pending, if it isn't nil, is called with true when something has changed, before the quiet time, and
	// with false when all is as it was before.
	Pending func(bool)
	// First means that what is there at the beginning counts as a change.
	First bool
	// Quiet is how long nothing may change before a change counts. Zero means 1 s.
	Quiet time.Duration
	// Logger gets a line when a reload begins, and when a file isn't whole. Nil means slog.Default.
	Logger *slog.Logger
}

func (c Config) quiet() time.Duration {
	if c.Quiet > 0 {
		return c.Quiet
	}
	return time.Second
}

func (c Config) list() func() []string {
	if c.List != nil {
		return c.List
	}
	return func() []string { return c.Files }
}

func (c Config) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

// Reload returns a function for rota.OnMaster that watches, on a goroutine that ends with the master. The
// reloads are those of "watch" in the history.
func Reload(cfg Config) func(*master.Master) {
	return func(m *master.Master) { go reloadOnChange(m, cfg) }
}

func reloadOnChange(m *master.Master, cfg Config) {
	ctx, cancel := context.WithCancel(status.By(context.Background(), "watch"))
	defer cancel()
	executable := ""
	if len(cfg.Files) == 0 && cfg.List == nil {
		if executable = executableOf(ctx, m); executable == "" {
			return // the master has ended
		}
		cfg.Files = []string{executable}
	}
	go func() { // the channel is closed with the master
		defer cancel()
		for range m.Watch(ctx) {
		}
	}()
	w := newWatcher(cfg.list())
	defer w.close()
	cfg.First = cfg.First || executable != "" && isReplaced(executable)
	follow(ctx, cfg, w, func() {
		log := cfg.logger()
		if executable != "" {
			if err := Whole(executable); err != nil {
				log.Warn("watch: the executable is not whole, there is no reload until it changes", "err", err)
				return
			}
		}
		log.Info("watch: files have changed, reload", "files", cfg.list()())
		err := m.Reload(ctx) // the master logs how it goes on
		if errors.Is(err, reload.ErrLeft) || errors.Is(err, master.ErrStopping) || errors.Is(err, master.ErrClosed) {
			cancel()
		}
	})
}

// isReplaced reports whether path has another file by now than the one that this process was started from,
// as far as the system tells (Linux).
func isReplaced(path string) bool {
	runs, err := os.Stat("/proc/self/exe")
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err != nil || !os.SameFile(runs, now)
}

// executableOf waits for the first generation, and returns the path of its executable. It is "" when the
// master has ended.
func executableOf(ctx context.Context, m *master.Master) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for s := range m.Watch(ctx) {
		for _, r := range s.Releases {
			if r.Path != "" {
				return r.Path
			}
		}
	}
	return ""
}

// Changes calls changed, on its own goroutine, each time that the files of cfg have changed and stayed the same
// for cfg.Quiet. What changes during a call counts after it. It returns when ctx ends.
func Changes(ctx context.Context, cfg Config, changed func()) {
	w := newWatcher(cfg.list())
	defer w.close()
	follow(ctx, cfg, w, changed)
}
