package fdstore

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rota-go/rota/internal/descriptor"
)

// Passed is a descriptor that a supervisor has passed to this process by LISTEN_FDS.
type Passed struct {
	N    int
	Name string // of LISTEN_FDNAMES, or LISTEN_FD_<N>
}

// maxPassed bounds LISTEN_FDS: no process has more descriptors.
const maxPassed = 1 << 20

// environment is what LISTEN_FDS says. It is read once a process, before the program can change
// the variables or the descriptors.
var environment = sync.OnceValues(func() (others []Passed, kept *Kept) {
	return split(passed(os.Getenv, os.Getpid()))
})

// Others returns the descriptors of the environment that are not a master's, and stay open.
func Others() []Passed {
	others, _ := environment()
	return others
}

// FromEnvironment returns those that are a master's. They have left their numbers.
func FromEnvironment() *Kept {
	_, kept := environment()
	return kept
}

// passed reads the variables.
func passed(getenv func(string) string, pid int) (all []Passed) {
	meant, err := strconv.Atoi(getenv("LISTEN_PID"))
	n, nerr := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || meant != pid || nerr != nil || n < 1 || n > maxPassed {
		return nil
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		p := Passed{N: 3 + i, Name: "LISTEN_FD_" + strconv.Itoa(3+i)}
		if i < len(names) && names[i] != "" {
			p.Name = names[i]
		}
		descriptor.CloseOnExec(p.N)
		all = append(all, p)
	}
	return all
}

// split moves the master's descriptors away from their numbers, under which a worker could ask
// for them.
func split(all []Passed) (others []Passed, kept *Kept) {
	kept = &Kept{files: map[string]*descriptor.FD{}}
	for _, p := range all {
		if !IsOurs(p.Name) {
			others = append(others, p)
			continue
		}
		n, err := descriptor.DupAbove(p.N, 0)
		_ = descriptor.New(p.N).Close() // nothing was written to it
		kept.add(p.Name, n, err)
	}
	return others, kept
}
