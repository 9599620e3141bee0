package rotametrics

import (
	"fmt"
	"os"
	"sync"

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
