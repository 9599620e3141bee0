//go:build linux

package keeper

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/hangup"
	"github.com/rota-go/rota/internal/sdnotify"
	"github.com/rota-go/rota/internal/terminal"
)

// Options are those of the command line.
type Options struct {
	Command []string // the program and its arguments
	Log     *slog.Logger
}

// keeper is the state. The goroutine of run owns it.
type keeper struct {
	Options
	name  string // of both sockets, without what tells them apart
	inbox *inbox
	life  *lifeline
	outer *sdnotify.Notifier // the manager of this process, if there is one
	given []kept             // the descriptors from it
	store store

	terminal   *terminal.Terminal
	background bool // of the terminal
	nohup      bool // SIGHUP was ignored at the start

	signals chan os.Signal
	calls   chan func() // to the goroutine of run

	main    mainProcess
	before  int // the master that has named main as the main process; 0: none has
	late    int // the master before one that has died, which has not taken its place back in time; 0: none
	served  bool
	asked   bool // to stop
	crashes int  // in a row
	held    []syscall.Signal
	over    bool
	hurry   bool // asked to stop when it was over
	status  int
	err     error
}

// mainProcess is a master. Without a pid it is none.
type mainProcess struct {
	pid      int
	ready    time.Time // zero: it hasn't been yet
	stopping bool
	shares   bool             // the keeper's process group
	asked    bool             // to stop, by a signal that has reached no other master
	passed   []syscall.Signal // that would be lost if the master before takes its place back
	next     int              // the new master of the upgrade that it is in; 0: none
	early    []message        // of that one, for when the main process has died
}

// Run starts the program, and returns its exit status when it has ended permanently, and nothing of
// it is left. An error says that it could not be started.
func Run(o Options) (status int, err error) {
	k := &keeper{Options: o, name: fmt.Sprintf("@rota.%d.%s", os.Getpid(), rand.Text()), calls: make(chan func(), 16)}
	k.nohup = signal.Ignored(syscall.SIGHUP)
	k.terminal = terminal.Open()
	k.signals = make(chan os.Signal, 64)
	watch(k.signals, watched()...) // to the end of the process
	if hangup.Take() {             // else it would be sent a second time
		k.signals <- syscall.SIGHUP
	}
	if err := k.open(); err != nil {
		return 0, err
	}
	k.start()
	k.run()
	return k.status, k.err
}

// open makes what a master needs.
func (k *keeper) open() (err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	if k.inbox, err = openInbox(k.name + ".notify"); err != nil {
		return err
	}
	if k.life, err = openLifeline(k.name + ".keeper"); err != nil {
		return err
	}
	for _, p := range fdstore.Others() {
		k.given = append(k.given, kept{p.Name, p.N})
	}
	fdstore.FromEnvironment().Close() // of a master that was the outer manager's
	k.outer = sdnotify.New(k.Log)
	go k.listen()
	return nil
}

// listen has messages read until the inbox is closed.
func (k *keeper) listen() {
	read := make(chan struct{})
	for k.inbox.await() == nil {
		k.calls <- func() { k.read(); read <- struct{}{} }
		<-read
	}
}

// after has f called after d.
func (k *keeper) after(d time.Duration, f func()) { time.AfterFunc(d, func() { k.calls <- f }) }

// run lasts as long as a master is to run.
func (k *keeper) run() {
	for !k.over {
		k.next(k.signal)
	}
	k.store.close()
	k.clear()
	_ = k.outer.Flush() // a manager that reads nothing is not waited for any longer
}

// next waits for a signal or a call, and handles it.
func (k *keeper) next(onSignal func(syscall.Signal)) {
	select {
	case s := <-k.signals:
		k.followJobControl()
		onSignal(s.(syscall.Signal))
	case f := <-k.calls:
		f()
	}
}

// finish says that no other master is to follow.
func (k *keeper) finish(status int, err error) { k.over, k.status, k.err = true, status, err }
