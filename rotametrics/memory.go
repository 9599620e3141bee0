package rotametrics

import (
	"fmt"
	"os"
	"sync"

	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

const (
	fileName = "github.com/rota-go/rota/rotametrics 1" // with the version of the format
	fileSize = 32 << 20                                // used as series are added
)

// memory is what series are in: a mapped file that all workers have, or memory of this process.
type memory struct {
	data []byte
	file *os.File // never closed, which would give the locks up; nil: of this process alone
	own  bool     // file was opened by this process, and has the locks, which end with it
}

// theStore returns the store of this process.
var theStore = sync.OnceValue(func() *store {
	w := worker.Self()
	if w == nil {
		return newStore(memory{data: private(fileSize)})
	}
	f, err := w.SharedFile(fileName, fileSize)
	if err == nil {
		var mem memory
		if mem, err = mapFile(f); err == nil {
			s := newStore(mem)
			s.slot, s.worker = w.Slot(), w.ID()
			return s
		}
	}
	fmt.Fprintf(os.Stderr, "rotametrics: worker %d: WARN its metrics are not shared: %v\n", w.ID(), err)
	s := newStore(memory{data: private(fileSize)})
	s.slot, s.worker = w.Slot(), w.ID()
	return s
})

// storeOf returns the store of a master. It holds descriptors of the file for others too, and closes them: its locks are
// those of a file that it has opened itself. Where it can't, it adds nothing to the store.
func storeOf(m *master.Master) (*store, error) {
	f, err := m.SharedFile(fileName, fileSize)
	if err != nil {
		return nil, err
	}
	own := reopened(f)
	if own != nil {
		_ = f.Close() // nothing was written to it
		f = own
	}
	mem, err := mapFile(f)
	if err != nil {
		return nil, err
	}
	mem.own = own != nil
	s := newStore(mem)
	s.reads = !mem.own
	return s, nil
}

// later is a store that is opened when it can be.
type later struct {
	open func() (*store, error)

	mu    sync.Mutex
	store *store
}

// get returns the store, which it opens unless it is open.
func (l *later) get() (s *store, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store == nil {
		l.store, err = l.open()
	}
	return l.store, err
}
