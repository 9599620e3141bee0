package successor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
)

// fileName is the name under which tableflip passes its one file: the new master's end of
// the link.
const fileName = "rota"

// noTimeout is tableflip's limit for an upgrade, which is never reached: the master has
// deadlines of its own.
const noTimeout = 1000 * time.Hour

// shared is the Upgrader. It is global because tableflip allows a
// process one Upgrader, whose New succeeds once.
var shared struct {
	mu       sync.Mutex
	upgrader *tableflip.Upgrader
	err      error
}

// upgrader returns the Upgrader, and makes it at the first call.
func upgrader() (*tableflip.Upgrader, error) {
	p := &shared
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.upgrader == nil && p.err == nil {
		p.upgrader, p.err = tableflip.New(tableflip.Options{UpgradeTimeout: noTimeout})
		if errors.Is(p.err, tableflip.ErrNotSupported) {
			p.err = errors.ErrUnsupported
		}
	}
	return p.upgrader, p.err
}

// signalReady is System.SignalReady. It does nothing in the first master, and nothing the
// second time.
func signalReady() error {
	u, err := upgrader()
	if err != nil {
		return err
	}
	return u.Ready()
}

// awaitParent is System.AwaitParent. An error of tableflip is left for start to report.
func awaitParent(ctx context.Context) {
	u, err := upgrader()
	if err != nil {
		return
	}
	if !u.HasParent() {
		_ = u.Ready() // in the first master it can't fail
	}
	_ = u.WaitForParent(ctx) // its error is about the parent, which is gone either way
}

// start is System.Start. It starts this process's program anew, as it was started, with end
// as the one file that the new process gets, and blocks for as long as the upgrade takes.
// mark is what kill finds the process by. Once ctx has ended no process is started.
func start(ctx context.Context, end *os.File, mark string, starting func()) error {
	defer end.Close()
	u, err := upgrader()
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := u.AddFile(fileName, end); err != nil {
		return err
	}
	started := process.Started()
	defer setArgs(started)()
	if err := os.Setenv(link.EnvUpgrade, mark); err != nil {
		return err
	}
	defer forgetMark()
	starting()
	err = explain(upgrade(u), started.Dir)
	if err != nil {
		closeLeft()
	}
	return err
}

// closeLeft closes what tableflip leaves open after an upgrade that has failed: the ends of
// two pipes that the new process had, and the last process's file. Nothing refers to them any
// more, and nobody but the garbage collector can close them.
func closeLeft() { runtime.GC() }

// forgetMark removes the mark from this process's environment, where it has been since
// start for the new process to inherit. It is called as soon as that process has said
// hello, so that no other process inherits it.
func forgetMark() { _ = os.Unsetenv(link.EnvUpgrade) }

// newMark returns a mark for start that no other process has.
func newMark() string { return fmt.Sprintf("%d.%d", os.Getpid(), time.Now().UnixNano()) }

// explain adds what may be wrong with dir, the working directory of this process's start:
// tableflip starts the new process there, and if dir is gone the system's error names the
// executable.
func explain(err error, dir string) error {
	if err == nil || dir == "" {
		return err
	}
	if _, derr := os.Stat(dir); derr != nil {
		return fmt.Errorf("%w (working directory: %w)", err, derr)
	}
	return err
}

// upgrade calls u.Upgrade until u has noticed that it is ready and that its parent is gone:
// u learns of both on channels, and chooses at random among those that have news.
func upgrade(u *tableflip.Upgrader) error {
	for range 1000 {
		err := u.Upgrade()
		if err == nil || err.Error() != "process is not ready yet" && err.Error() != "parent hasn't exited" {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return u.Upgrade()
}
