// Package directory is about the directories of unix sockets: a directory that is opened once,
// so that its path can't be led elsewhere between two calls, and whether others than root and
// this process's user can change where a path leads.
package directory

// Directory is a directory that was opened once: what is done to its files is done in
// that one, whatever its path leads to meanwhile.
type Directory struct {
	Locked bool // by this process, see IsBusy
	open
}

// Identity is what a file keeps when its path leads to another one.
type Identity struct{ Device, Inode uint64 }

// Open opens a directory. The caller closes it, in any case: if it can't be opened, the
// methods fail.
func Open(path string) *Directory { return openDirectory(path) }

// IsBusy tries to lock d, and reports whether another process has. d.Locked says whether this
// one has.
func (d *Directory) IsBusy() bool { return d.isBusy() }

// Close releases the lock.
func (d *Directory) Close() { d.close() }

// Socket returns which file a name in d is. It fails unless that is a socket's.
func (d *Directory) Socket(name string) (Identity, error) { return d.socket(name) }

// Remove removes a name in d.
func (d *Directory) Remove(name string) error { return d.remove(name) }

// IsBound reports whether a socket is bound to the file at path, which is in d, or may be:
// an error other than ECONNREFUSED doesn't tell. Where /proc is not mounted, the path is
// resolved again.
func (d *Directory) IsBound(path string) bool { return d.isBound(path) }
