// Package sharedfile keeps files in memory and queues of datagrams for the workers of a master, by name: the first
// call with a name makes its file, and the later ones get the same. The master holds them open, so that
// what is in a file outlives the processes that have written it, and reads none of them.
package sharedfile

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
)

// The bounds of what a worker can make the master hold.
const (
	MaxFiles  = 16
	MaxQueues = 512
	MaxName   = 256       // bytes
	MaxSize   = 256 << 20 // bytes
)

// SpareFor is how long a spare file is kept when the last worker that has asked for it is gone: that
// one's successor may ask for it.
const SpareFor = 2 * time.Second

// Table has the files and queues of a master, whose loop owns it. The zero value is empty.
type Table struct {
	files   map[string]*file
	changes int // of files, so far
}

// file is a file or queue of a Table. It is spare unless it is kept: then it is closed some time after
// the last of askers has gone. Otherwise an attacker who has one worker could have the master
// hold all the files that there may be, and all the memory that they may have, permanently.
type file struct {
	*descriptor.FD
	queue  bool
	kept   bool         // the program, or a worker that the master trusts, needs it
	askers map[int]bool // the workers that have asked for it, by id
}

// Open returns a duplicate of the descriptor of a file for the program in the master, which keeps
// the file. The caller closes it.
func (t *Table) Open(name string, size int64) (*descriptor.FD, error) {
	return t.open(wire.ShareBody{Name: name, Size: size}, func(f *file) { f.kept = true })
}

// OpenQueue is Open for a queue of datagrams: a unix socket that is connected to itself. No other socket can
// send to it: its descriptor is the only way in.
func (t *Table) OpenQueue(name string) (*descriptor.FD, error) {
	return t.open(wire.ShareBody{Name: name, Queue: true}, func(f *file) { f.kept = true })
}

// open returns a duplicate of the descriptor of a file or queue, which the caller closes. It makes it
// if there is none; a file that is there keeps its size. It calls ask with it. It fails with EINVAL
// if name or size is out of bounds or there is one of the other kind, and with EMFILE if there are
// MaxFiles or MaxQueues already.
func (t *Table) open(body wire.ShareBody, ask func(*file)) (*descriptor.FD, error) {
	if f := t.files[body.Name]; f != nil && f.queue == body.Queue {
		was := f.kept
		if ask(f); f.kept != was {
			t.changes++
		}
		return f.Dup()
	} else if f != nil || !valid(body) {
		return nil, syscall.EINVAL
	}
	if t.full(body.Queue) {
		return nil, syscall.EMFILE
	}
	fd, err := newFile(body)
	if err != nil {
		return nil, fmt.Errorf("shared file: %w", err)
	}
	t.Adopt(body.Name, true, fd)
	ask(t.files[body.Name])
	return fd.Dup()
}

func valid(body wire.ShareBody) bool {
	return body.Name != "" && len(body.Name) <= MaxName && (body.Queue || body.Size >= 1 && body.Size <= MaxSize)
}

// full reports whether there are as many files, or queues, as there may be.
func (t *Table) full(queue bool) bool {
	n, limit := 0, MaxFiles
	if queue {
		limit = MaxQueues
	}
	for _, f := range t.files {
		if f.queue == queue {
			n++
		}
	}
	return n >= limit
}

func newFile(body wire.ShareBody) (*descriptor.FD, error) {
	if body.Queue {
		return createQueue()
	}
	return create(body.Size)
}

// OpenFile is Open, of an *os.File.
func (t *Table) OpenFile(name string, size int64) (*os.File, error) {
	fd, err := t.Open(name, size)
	if err != nil {
		return nil, err
	}
	defer fd.Close() // the file has a duplicate
	return fd.File(name)
}

// Adopt adds a file or a queue, which the table owns, unless there is one of this name.
func (t *Table) Adopt(name string, spare bool, fd *descriptor.FD) {
	if t.files == nil {
		t.files = map[string]*file{}
	}
	if t.files[name] != nil {
		_ = fd.Close() // nothing was written to it
		return
	}
	t.files[name] = &file{FD: fd, queue: isQueue(fd), kept: !spare, askers: map[int]bool{}}
	t.changes++
}

// TakeUp is Adopt for a file or queue that another master has left. It fails if it isn't one that a table has made.
func (t *Table) TakeUp(name string, spare bool, fd *descriptor.FD) error {
	err := check(fd)
	switch {
	case err != nil:
	case name == "" || len(name) > MaxName:
		err = syscall.EINVAL
	case t.full(isQueue(fd)):
		err = syscall.EMFILE
	default:
		t.Adopt(name, spare, fd)
		return nil
	}
	_ = fd.Close() // nothing was written to it
	return fmt.Errorf("shared file: %w", err)
}

// Changes returns how often what Files returns has changed.
func (t *Table) Changes() int { return t.changes }

// Files calls send with the name of each file and queue, and a duplicate of its descriptor, which send owns.
// One that can't be duplicated is left out.
func (t *Table) Files(send func(name string, spare bool, fd *descriptor.FD)) {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		f := t.files[name]
		if fd, err := f.Dup(); err == nil {
			send(name, !f.kept, fd)
		}
	}
}

// Each calls send with the name of each file that is not in sent, in their order, and a duplicate of its
// descriptor, which send owns, and adds it to sent.
func (t *Table) Each(sent map[string]bool, send func(name string, spare bool, fd *descriptor.FD)) error {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if sent[name] {
			continue
		}
		fd, err := t.files[name].Dup()
		if err != nil {
			return err
		}
		sent[name] = true
		send(name, !t.files[name].kept, fd)
	}
	return nil
}

// Handle answers a worker that asks for a file or queue. It is kept if keep is true. send takes the
// descriptors.
func (t *Table) Handle(worker int, f wire.Frame, keep bool, send func(wire.Frame, ...*descriptor.FD) error) error {
	return wire.With(f, func(body *wire.ShareBody) {
		fd, err := t.open(*body, func(is *file) { is.askers[worker], is.kept = true, is.kept || keep })
		if err != nil {
			_ = send(wire.Frame{Type: wire.Failed, Call: f.Call, Body: wire.Body(neterr.Encode(err))}) // fails if the worker ends
			return
		}
		_ = send(wire.Frame{Type: wire.Shared, Call: f.Call}, fd) // the same
	})
}

// Gone says that a worker has ended. It reports whether CloseSpare is to be called SpareFor later.
func (t *Table) Gone(worker int) (again bool) {
	for _, f := range t.files {
		delete(f.askers, worker)
		again = again || f.isUnwanted()
	}
	return again
}

// CloseSpare closes the spare files of which all workers that have asked for one are gone.
func (t *Table) CloseSpare() {
	for name, f := range t.files {
		if f.isUnwanted() {
			_ = f.Close() // nothing was written to it
			delete(t.files, name)
			t.changes++
		}
	}
}

func (f *file) isUnwanted() bool { return !f.kept && len(f.askers) == 0 }

// Close closes all files and queues. Processes that have one keep it.
func (t *Table) Close() {
	for _, fd := range t.files {
		_ = fd.Close() // nothing was written to it
	}
	t.files = nil
}
