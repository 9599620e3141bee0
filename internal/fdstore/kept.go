package fdstore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rota-go/rota/internal/descriptor"
)

// Kept are descriptors of the previous master that the manager has passed to this one. It owns
// them until Take or Close. On nil the methods do nothing.
type Kept struct {
	files map[string]*descriptor.FD
	names []string // all that were passed, and are in the store; also of those that are closed
}

// add adds descriptor n, which is closed if there is one of that name already.
func (k *Kept) add(name string, n int, err error) {
	if !slices.Contains(k.names, name) {
		k.names = append(k.names, name)
	}
	if err != nil {
		return
	}
	fd := descriptor.New(n)
	if k.files[name] != nil {
		_ = fd.Close() // nothing was written to it
		return
	}
	k.files[name] = fd
}

// Names returns the names of all that the manager has passed.
func (k *Kept) Names() []string {
	if k == nil {
		return nil
	}
	return k.names
}

// Leases returns the names of the pipes of leases.
func (k *Kept) Leases() []string {
	return slices.DeleteFunc(slices.Clone(k.Names()), func(name string) bool { return !isLease(name) })
}

// Take returns the descriptor of this name, which the caller owns from now on, or nil.
func (k *Kept) Take(name string) *descriptor.FD {
	if k == nil {
		return nil
	}
	fd := k.files[name]
	delete(k.files, name)
	return fd
}

// TakeSocket is Take for a socket. It fails if what has its name isn't that socket.
func (k *Kept) TakeSocket(name string) (*descriptor.FD, error) {
	return k.takeAs(SocketName, name)
}

// TakeExecutable is Take for an executable: nil if what has its name isn't that file.
func (k *Kept) TakeExecutable(name string) *descriptor.FD {
	fd, _ := k.takeAs(ExecutableName, name) // without it the file at the path is started
	return fd
}

// TakeLease is Take for the pipe of a lease. It fails if what has its name isn't that pipe.
func (k *Kept) TakeLease(name string) (*descriptor.FD, error) { return k.takeAs(LeaseName, name) }

// TakeShared is Take for a file that workers share. It fails if what has its name isn't that file.
func (k *Kept) TakeShared(name string) (*descriptor.FD, error) { return k.takeAs(SharedName, name) }

// takeAs is Take for a descriptor whose name must be the one that nameOf returns.
func (k *Kept) takeAs(nameOf func(*descriptor.FD) (string, error), name string) (*descriptor.FD, error) {
	fd := k.Take(name)
	if fd == nil {
		return nil, fmt.Errorf("%s was not passed", name)
	}
	is, err := nameOf(fd)
	if err == nil && is != name {
		err = errors.New("it is another")
	}
	if err != nil {
		_ = fd.Close() // nothing was written to it
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return fd, nil
}

// Close closes what was not taken, and forgets the names.
func (k *Kept) Close() {
	if k == nil {
		return
	}
	descriptor.CloseAll(slices.Collect(maps.Values(k.files)))
	clear(k.files)
	k.names = nil
}

// errNoRecord says that descriptors were passed, and nothing that says what they are.
var errNoRecord = errors.New("there is no record of them")

// Record returns the newest record that can be read. The error is that of the newest one.
func (k *Kept) Record() (Record, error) {
	first := errNoRecord
	for _, name := range newestFirst(k.Names()) {
		r, err := k.record(name)
		if err == nil {
			return r, nil
		}
		if first == errNoRecord {
			first = err
		}
	}
	return Record{}, first
}

func (k *Kept) record(name string) (Record, error) {
	fd := k.Take(name)
	if fd == nil {
		return Record{}, errNoRecord
	}
	defer fd.Close()
	b, err := read(fd.Int())
	if err != nil {
		return Record{}, err
	}
	return Decode(b)
}

// newestFirst returns the names of records.
func newestFirst(names []string) (records []string) {
	for _, name := range names {
		if _, ok := recordNumber(name); ok {
			records = append(records, name)
		}
	}
	slices.SortFunc(records, func(a, b string) int {
		x, _ := recordNumber(a)
		y, _ := recordNumber(b)
		return cmp.Compare(y, x)
	})
	return records
}
