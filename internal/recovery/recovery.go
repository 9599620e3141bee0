// Package recovery has a manager keep what a master has, for the case that it dies, and
// takes that up in the next master. Package fdstore has the store itself.
package recovery

import (
	"encoding/json"
	"errors"
	"os"
	"sync"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/fdstore"
	"github.com/rota-go/rota/internal/lease"
	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/sharedfile"
	"github.com/rota-go/rota/internal/sockets"
	"github.com/rota-go/rota/internal/successor"
	"github.com/rota-go/rota/status"
)

// Store is what the manager keeps for a master. The master's loop owns it.
type Store struct {
	fdstore.Keeper
	Sockets *sockets.Table
	Shared  *sharedfile.Table
	Leases  *lease.Desk

	leases int // changes of Leases that the manager knows, and one more; 0: it knows nothing
}

// State is what a master has besides its sockets.
type State struct {
	Generation int                        // whose workers serve
	Image      *process.Image             // that they were started from
	Latest     int                        // the last generation that was begun
	Workers    int                        // how many are wanted
	Scaled     bool                       // by somebody, and not by the configuration
	Tickets    [][32]byte                 // the keys of TLS session tickets, the newest first
	Counters   status.Counters            // of connections, as far as anybody has been told
	Changes    int                        // how many crashes, reloads and the like there were
	Snapshot   func() *successor.Snapshot // what an upgrade would tell the new master
}

// stamp stands for what is kept.
type stamp struct {
	sockets, shared, leases, generation, latest, workers, changes int
	scaled                                                        bool
	ticket                                                        [32]byte
	counters                                                      status.Counters
}

// Save has the manager keep what the master has, unless it does already, or hasn't read all that
// was sent before.
func (s *Store) Save(of State) error {
	is := stamp{
		sockets: s.Sockets.Changes(), shared: s.Shared.Changes(), leases: s.Leases.Changes(),
		generation: of.Generation, latest: of.Latest, workers: of.Workers, scaled: of.Scaled, changes: of.Changes, counters: of.Counters,
	}
	is.counters.Open = 0
	if len(of.Tickets) > 0 {
		is.ticket = of.Tickets[0]
	}
	return s.Keep(is, func() ([]fdstore.Item, fdstore.Record) { return s.items(of) })
}

// SaveLeases has the manager keep the pipes of the leases, unless it does already. It is for the time before
// Save: a leader may be the first that a master has.
func (s *Store) SaveLeases() {
	if n := s.Leases.Changes() + 1; n != s.leases {
		s.leases = n
		s.KeepLeases(s.pipes(nil))
	}
}

// Empty has the manager keep nothing.
func (s *Store) Empty() {
	s.Keeper.Empty()
	s.leases = 0
}

// items returns the descriptors to keep, and the record of them. A descriptor that fails is left
// out: the next master opens that socket, or that file, itself.
func (s *Store) items(of State) (items []fdstore.Item, r fdstore.Record) {
	r.Generation = of.Generation
	r.State, _ = json.Marshal(of.Snapshot()) // it can't fail
	if fd, err := of.Image.Executable(); err == nil && fd != nil {
		r.Executable, items = add(items, fdstore.ExecutableName, fd)
	}
	_ = s.Sockets.SendOwn(func(payload json.RawMessage, fd *descriptor.FD) {
		var name string
		if name, items = add(items, fdstore.SocketName, fd); name != "" {
			r.Sockets = append(r.Sockets, fdstore.Socket{Name: name, Socket: payload})
		}
	})
	s.Shared.Files(func(file string, spare bool, fd *descriptor.FD) {
		var name string
		if name, items = add(items, fdstore.SharedName, fd); name != "" {
			r.Shared = append(r.Shared, fdstore.Shared{Name: name, File: file, Spare: spare})
		}
	})
	return s.pipes(items), r
}

// pipes adds the pipes of the leases. No record has to name them. Without them the next master can't know of leaders.
func (s *Store) pipes(items []fdstore.Item) []fdstore.Item {
	ends, err := s.Leases.Ends()
	if err != nil {
		return items
	}
	for _, fd := range ends {
		_, items = add(items, fdstore.LeaseName, fd)
	}
	return items
}

// add adds fd, which it owns, under the name that nameOf returns. It returns "" if there is none.
func add(items []fdstore.Item, nameOf func(*descriptor.FD) (string, error), fd *descriptor.FD) (string, []fdstore.Item) {
	name, err := nameOf(fd)
	if err != nil {
		_ = fd.Close() // nothing was written to it
		return "", items
	}
	return name, append(items, fdstore.Item{Name: name, FD: fd})
}

// Left is what a master that has died has left.
type Left struct {
	Generation int                 // whose workers served
	Executable *os.File            // that they were started from; nil: what stands at the path
	State      *successor.Snapshot // with worker ids that it has not used
	Sockets    int                 // how many of its sockets are the table's now
}

// Once returns a function that is TakeUp of what kept returns, once. A nil kept returns nothing.
func (s *Store) Once(kept func() *fdstore.Kept) func() (*Left, error) {
	if kept == nil {
		return Nothing
	}
	return sync.OnceValues(func() (*Left, error) { return s.TakeUp(kept()) })
}

// Nothing is what no master has left.
func Nothing() (*Left, error) { return nil, nil }

// TakeUp takes what the manager has kept, and closes what is of no use. It returns nil if that
// is nothing; an error says that there was something, and what of it can't be used. The file is
// the caller's.
func (s *Store) TakeUp(kept *fdstore.Kept) (*Left, error) {
	defer kept.Close()
	names := kept.Names()
	s.Holds(names)
	failed := []error{s.takeLeases(kept)}
	if len(names) == len(kept.Leases()) {
		return nil, failed[0]
	}
	r, state, err := read(kept)
	if err != nil {
		return nil, errors.Join(err, failed[0])
	}
	left := &Left{Generation: r.Generation, State: state}
	left.State.Stored = names
	for _, socket := range r.Sockets {
		if err := s.takeSocket(kept, socket); err != nil {
			failed = append(failed, err)
			continue
		}
		left.Sockets++
	}
	failed = append(failed, s.takeShared(kept, r.Shared))
	if fd := kept.TakeExecutable(r.Executable); fd != nil {
		left.Executable = os.NewFile(uintptr(fd.Take()), "executable")
	}
	return left, errors.Join(failed...)
}

func (s *Store) takeSocket(kept *fdstore.Kept, is fdstore.Socket) error {
	fd, err := kept.TakeSocket(is.Name)
	if err != nil {
		return err
	}
	return s.Sockets.TakeUp(is.Socket, fd)
}

func (s *Store) takeShared(kept *fdstore.Kept, all []fdstore.Shared) error {
	var failed []error
	for _, is := range all {
		fd, err := kept.TakeShared(is.Name)
		if err == nil {
			err = s.Shared.TakeUp(is.File, is.Spare, fd)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// takeLeases has no lease granted before the leaders have ended that the last master has left.
func (s *Store) takeLeases(kept *fdstore.Kept) error {
	var failed []error
	for _, name := range kept.Leases() {
		fd, err := kept.TakeLease(name)
		if err == nil {
			s.Leases.Await(fd)
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func read(kept *fdstore.Kept) (r fdstore.Record, state *successor.Snapshot, err error) {
	if r, err = kept.Record(); err != nil {
		return r, nil, err
	}
	state, err = successor.Stored(r.State)
	if err == nil && state.Generation < r.Generation {
		err = errors.New("state of the last master: it has had no such generation")
	}
	return r, state, err
}
