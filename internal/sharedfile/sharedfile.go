// Package sharedfile keeps files in memory for the workers of a master, by name: the first
// call with a name makes its file, and the later ones get the same. The master holds them open, so that
// what is in a file outlives the processes that have written it, and reads none of them.
package sharedfile

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/neterr"
	"github.com/rota-go/rota/internal/wire"
)

// The bounds of what a worker can make the master hold.
const (
	MaxFiles = 16
	MaxName  = 256       // bytes
	MaxSize  = 256 << 20 // bytes
)

// Table has the files of a master, whose loop owns it. The zero value is empty.
type Table struct{ files map[string]*descriptor.FD }

// Open returns a duplicate of the descriptor of a file, which the caller closes. It makes the file
// if there is none; one that is there keeps its size. It fails with EINVAL if name or size is
// out of bounds, and with EMFILE if there are MaxFiles already.
func (t *Table) Open(name string, size int64) (*descriptor.FD, error) {
	if fd := t.files[name]; fd != nil {
		return fd.Dup()
	}
	if name == "" || len(name) > MaxName || size < 1 || size > MaxSize {
		return nil, syscall.EINVAL
	}
	if len(t.files) >= MaxFiles {
		return nil, syscall.EMFILE
	}
	fd, err := create(size)
	if err != nil {
		return nil, fmt.Errorf("memory file: %w", err)
	}
	t.Adopt(name, fd)
	return fd.Dup()
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

// Adopt adds a file, which the table owns, unless there is one of this name.
func (t *Table) Adopt(name string, fd *descriptor.FD) {
	if t.files == nil {
		t.files = map[string]*descriptor.FD{}
	}
	if t.files[name] != nil {
		_ = fd.Close() // nothing was written to it
		return
	}
	t.files[name] = fd
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
		fd, err := t.Open(body.Name, body.Size)
		if err != nil {
			_ = send(wire.Frame{Type: wire.Failed, Call: f.Call, Body: wire.Body(neterr.Encode(err))}) // fails if the worker ends
			return
		}
		_ = send(wire.Frame{Type: wire.Shared, Call: f.Call}, fd) // the same
	})
}

// Close closes all files. Processes that have one keep it.
func (t *Table) Close() {
	for _, fd := range t.files {
		_ = fd.Close() // nothing was written to it
	}
	t.files = nil
}
