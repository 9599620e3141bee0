package child

import (
	"os"

	"github.com/rota-go/rota/internal/descriptor"
)

// Earlier are executables of generations of the masters before this one, the latest first. The zero value has none.
type Earlier []earlier

type earlier struct {
	number     int
	executable *os.File
}

// Keep adds the executable of a generation, which it owns.
func (all *Earlier) Keep(number int, executable *descriptor.FD) {
	*all = append(*all, earlier{number, os.NewFile(uintptr(executable.Take()), "executable")})
}

// Close closes the executables.
func (all Earlier) Close() {
	for _, e := range all {
		_ = e.executable.Close() // nothing was written
	}
}

// Before calls then with the release before the one that the workers of serving run: a generation of the first executable
// that is another, made by prepare, which owns it. It is in use, by then; nil if there is none. The other executables are
// closed. It runs on the loop; files are read on another goroutine, by work.
func Before[C any](serving *Generation[C], all Earlier, prepare func(int, *os.File) (*Generation[C], error), work func(func() func()), then func(*Generation[C])) {
	serving.Use()
	work(func() func() {
		g := before(serving, all, prepare)
		return func() {
			serving.Release()
			if g != nil {
				g.Use()
			}
			then(g)
		}
	})
}

func before[C any](serving *Generation[C], all Earlier, prepare func(int, *os.File) (*Generation[C], error)) *Generation[C] {
	for i, e := range all {
		if serving.Image.Runs(e.executable) {
			_ = e.executable.Close()
			continue
		}
		all[i+1:].Close()
		g, err := prepare(e.number, e.executable)
		if err != nil {
			return nil // a later reload has one to return from
		}
		return g
	}
	return nil
}
