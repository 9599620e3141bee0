package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cloudflare/tableflip"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/process"
)

// flipName is what the one file is called that tableflip carries: the successor's
// end of the link.
const flipName = "rota"

// flipTimeout is never reached: the loop has deadlines of its own.
const flipTimeout = 1000 * time.Hour

// flip is the one Upgrader that tableflip allows a process.
var flip struct {
	mu       sync.Mutex
	upgrader *tableflip.Upgrader
	err      error
}

// predecessor is the link to the master that started this process to follow it. It
// is made before main's own init functions run, so that no process that the program
// starts sees the variables or gets the descriptors.
var predecessor = inheritLink()

// inheritance is what the first Run takes up.
type inheritance struct {
	mu   sync.Mutex
	link *link.Link
	err  error
	none bool
}

func inheritLink() *inheritance {
	// tableflip's own variable alone is the business of a program that uses it.
	if os.Getenv(link.EnvUpgrade) == "" || os.Getenv(link.EnvTableflip) == "" {
		return &inheritance{none: true}
	}
	l, err := flipLink()
	_ = os.Unsetenv(link.EnvUpgrade)
	_ = os.Unsetenv(link.EnvTableflip)
	return &inheritance{link: l, err: err}
}

// flipLink gets the link from tableflip, whose pipes are its descriptors 3 and 4.
func flipLink() (*link.Link, error) {
	u, err := newFlip()
	if err != nil {
		return nil, err
	}
	descriptor.CloseOnExec(3)
	descriptor.CloseOnExec(4)
	file, err := u.File(flipName)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return nil, errors.New("the old master has sent no link")
	}
	defer file.Close()
	fd, err := descriptor.DupOf(file)
	if err != nil {
		return nil, err
	}
	link, err := link.New(fd)
	if err == nil {
		masterLink{link}.send(note{Kind: noteHello, Version: noteVersion, PID: os.Getpid()})
	}
	return link, err
}

// take returns the link, once. ok is false in a process that follows no master.
func (i *inheritance) take() (link *link.Link, ok bool, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.none {
		return nil, false, nil
	}
	i.none = true
	if i.err != nil {
		return nil, true, fmt.Errorf("upgrade: %w", i.err)
	}
	return i.link, true, nil
}

func newFlip() (*tableflip.Upgrader, error) {
	flip.mu.Lock()
	defer flip.mu.Unlock()
	if flip.upgrader == nil && flip.err == nil {
		flip.upgrader, flip.err = tableflip.New(tableflip.Options{UpgradeTimeout: flipTimeout})
		if errors.Is(flip.err, tableflip.ErrNotSupported) {
			flip.err = errors.ErrUnsupported
		}
	}
	return flip.upgrader, flip.err
}

// flipReady tells the old master that this one has taken over. It does nothing in
// the first master, and nothing the second time.
func flipReady() error {
	u, err := newFlip()
	if err != nil {
		return err
	}
	return u.Ready()
}

// flipAlone waits until this master's own predecessor is gone.
func flipAlone(ctx context.Context) {
	u, err := newFlip()
	if err != nil {
		return // flipTo will say so
	}
	if !u.HasParent() {
		_ = u.Ready() // the first master: it can't fail
	}
	_ = u.WaitForParent(ctx) // its error is the parent's, which is gone
}

// flipTo starts this program anew, with end as the one file that it gets. It returns
// nil when the new process is ready, and an error when it has ended before. nonce
// marks that process, starting is called before it is started.
func flipTo(ctx context.Context, end *os.File, nonce string, starting func()) error {
	defer end.Close()
	u, err := newFlip()
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := u.AddFile(flipName, end); err != nil {
		return err
	}
	firstArgs()
	if err := os.Setenv(link.EnvUpgrade, nonce); err != nil {
		return err
	}
	defer os.Unsetenv(link.EnvUpgrade)
	starting()
	return inDir(upgradeSettled(u))
}

// inDir adds what may be wrong with the working directory: tableflip starts in the first
// one, and blames the executable where that is gone.
func inDir(err error) error {
	dir := process.Started().Dir
	if err == nil || dir == "" {
		return err
	}
	if _, derr := os.Stat(dir); derr != nil {
		return fmt.Errorf("%w (working directory: %w)", err, derr)
	}
	return err
}

// upgradeSettled is u.Upgrade once u has noticed that it is ready and that its parent
// is gone: it is told on channels, and chooses at random among those that have news.
func upgradeSettled(u *tableflip.Upgrader) error {
	for range 1000 {
		err := u.Upgrade()
		if err == nil || err.Error() != "process is not ready yet" && err.Error() != "parent hasn't exited" {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return u.Upgrade()
}

// firstArgs makes os.Args, by which tableflip starts the new master, what it was when
// this one was started, with a name that it can find: it takes it relative to the
// working directory of now, and looks it up in the PATH of now.
func firstArgs() {
	started := process.Started()
	args := started.Args
	if len(args) > 0 && started.Exec != "" && !filepath.IsAbs(args[0]) {
		args[0] = started.Exec
	}
	if !slices.Equal(args, os.Args) {
		os.Args = args
	}
}
