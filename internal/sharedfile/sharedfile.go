// Package sharedfile keeps files in memory and queues of datagrams for the workers of a master, by name: the first
// call with a name makes its file, and the later ones get the same. The master holds them open, so that
// what is in a file outlives the processes that have written it, and reads none of them.
package sharedfile

import (
	"fmt"
	"maps"
	"slices"
	"syscall"

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

// Table has the files and queues of a master, whose loop owns it. The zero value is empty.
type Table struct {
	files  map[string]*descriptor.FD
	queues map[string]bool // the names of files that are queues
}

// Open returns a duplicate of the descriptor of a file, which the caller closes. It makes the file
// if there is none; one that is there keeps its size. It fails with EINVAL if name or size is
// out of bounds or the name is that of a queue, and with EMFILE if there are MaxFiles already.
func (t *Table) Open(name string, size int64) (*descriptor.FD, error) {
	if size < 1 || size > MaxSize {
		return nil, syscall.EINVAL
	}
	return t.open(name, false, func() (*descriptor.FD, error) { return create(size) })
}

// OpenQueue is Open for a queue of datagrams: a unix socket that is connected to itself. No other socket can
// send to it: its descriptor is the only way in.
func (t *Table) OpenQueue(name string) (*descriptor.FD, error) {
	return t.open(name, true, createQueue)
}

func (t *Table) open(name string, queue bool, create func() (*descriptor.FD, error)) (*descriptor.FD, error) {
	if fd := t.files[name]; fd != nil && t.queues[name] == queue {
		return fd.Dup()
	} else if fd != nil || name == "" || len(name) > MaxName {
		return nil, syscall.EINVAL
	}
	if t.full(queue) {
		return nil, syscall.EMFILE
	}
	fd, err := create()
	if err != nil {
		return nil, fmt.Errorf("shared file: %w", err)
	}
	t.Adopt(name, fd)
	return fd.Dup()
}

func (t *Table) full(queue bool) bool {
	if queue {
		return len(t.queues) >= MaxQueues
	}
	return len(t.files)-len(t.queues) >= MaxFiles
}

// Adopt adds a file or a queue, which the table owns, unless there is one of this name.
func (t *Table) Adopt(name string, fd *descriptor.FD) {
	if t.files == nil {
		t.files, t.queues = map[string]*descriptor.FD{}, map[string]bool{}
	}
	if t.files[name] != nil {
		_ = fd.Close() // nothing was written to it
		return
	}
	t.files[name] = fd
	if isQueue(fd) {
		t.queues[name] = true
	}
}

// Each calls send with the name of each file that is not in sent, in their order, and a duplicate of its
// descriptor, which send owns, and adds it to sent.
func (t *Table) Each(sent map[string]bool, send func(name string, fd *descriptor.FD)) error {
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		if sent[name] {
			continue
		}
		fd, err := t.files[name].Dup()
		if err != nil {
			return err
		}
		sent[name] = true
		send(name, fd)
	}
	return nil
}

// Handle answers a worker that asks for a file. send takes the descriptors.
func (t *Table) Handle(f wire.Frame, send func(wire.Frame, ...*descriptor.FD) error) error {
	return wire.With(f, func(body *wire.ShareBody) {
		fd, err := t.answer(body)
		if err != nil {
			_ = send(wire.Frame{Type: wire.Failed, Call: f.Call, Body: wire.Body(neterr.Encode(err))}) // fails if the worker ends
			return
		}
		_ = send(wire.Frame{Type: wire.Shared, Call: f.Call}, fd) // the same
	})
}

func (t *Table) answer(body *wire.ShareBody) (*descriptor.FD, error) {
	if body.Queue {
		return t.OpenQueue(body.Name)
	}
	return t.Open(body.Name, body.Size)
}

// Close closes all files. Processes that have one keep it.
func (t *Table) Close() {
	for _, fd := range t.files {
		_ = fd.Close() // nothing was written to it
	}
	t.files, t.queues = nil, nil
}
