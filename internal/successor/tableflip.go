package successor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/rota-go/rota/internal/link"
)

// fileName is the name under which tableflip passes its one file: the new master's end of
// the link.
const fileName = "rota"

// noTimeout is tableflip's limit for an upgrade, which is never reached: the master has
// deadlines of its own.
const noTimeout = 1000 * time.Hour

// process is what this process has of tableflip. It is global because tableflip allows a
// process one Upgrader, whose New succeeds once.
var process struct {
	mu       sync.Mutex
	upgrader *tableflip.Upgrader
	err      error
}

// upgrader returns the Upgrader, and makes it at the first call.
func upgrader() (*tableflip.Upgrader, error) {
	p := &process
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

// SignalReady tells the old master that this one has taken over. It does nothing in the
// first master, and nothing the second time. Its error means that the old master has died.
func SignalReady() error {
	u, err := upgrader()
	if err != nil {
		return err
	}
	return u.Ready()
}

// AwaitParent waits until this master's own predecessor has exited, or ctx ends. An error
// of tableflip is left for Start to report.
func AwaitParent(ctx context.Context) {
	u, err := upgrader()
	if err != nil {
		return
	}
	if !u.HasParent() {
		_ = u.Ready() // in the first master it can't fail
	}
	_ = u.WaitForParent(ctx) // its error is about the parent, which is gone either way
}

// Program is how this process was started, and how its successor is started.
type Program struct {
	Exec string   // the executable's absolute path, symbolic links not resolved; "" if unknown
	Args []string // the arguments, with the program's name
	Dir  string   // the working directory; "" if unknown
}

// Start starts the program anew, with end as the one file that it gets, and closes end. It
// calls starting before the process is started, blocks for as long as the upgrade takes, and
// returns nil when the new process has signalled that it is ready, and an error if it
// could not be started or has exited before. mark is what Kill finds the process by. Once
// ctx has ended no process is started.
func (p Program) Start(ctx context.Context, end *os.File, mark string, starting func()) error {
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
	defer p.setArgs()()
	if err := os.Setenv(link.EnvUpgrade, mark); err != nil {
		return err
	}
	defer ForgetMark()
	starting()
	return p.explain(upgrade(u))
}

// ForgetMark removes the mark from this process's environment, where it has been since
// Start for the new process to inherit. It is called as soon as that process has said
// hello, so that no other process inherits it.
func ForgetMark() { _ = os.Unsetenv(link.EnvUpgrade) }

// NewMark returns a mark for Start that no other process has.
func NewMark() string { return fmt.Sprintf("%d.%d", os.Getpid(), time.Now().UnixNano()) }

// explain adds what may be wrong with the working directory: tableflip starts the process in
// the first one, and if that is gone the system's error names the executable.
func (p Program) explain(err error) error {
	if err == nil || p.Dir == "" {
		return err
	}
	if _, derr := os.Stat(p.Dir); derr != nil {
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
