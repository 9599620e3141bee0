//go:build linux

package keeper

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/fdstore"
)

// maxKept bounds the store. With a queue for each slot an address has a socket for each of them.
const maxKept = 4096

// store has the descriptors that a master wants kept.
type store struct{ all []kept }

// kept is a descriptor in a store.
type kept struct {
	name string
	n    int
}

// obey does what a message says of the store, which owns its files: FDSTORE=1 and FDSTOREREMOVE=1,
// with FDNAME. As in systemd's, a descriptor of the same file as another is closed, whatever its name.
// Unlike there, one whose other end is closed stays, as FDPOLL=0 wants.
func (s *store) obey(m message) {
	name := m.value("FDNAME")
	if !isName(name) {
		name = "stored"
	}
	switch {
	case m.says("FDSTOREREMOVE=1"):
		s.remove(name)
	case m.says("FDSTORE=1"):
		m.files = s.add(name, m.files)
	}
	m.close()
}

// isName reports whether a name can be in LISTEN_FDNAMES.
func isName(name string) bool {
	return name != "" && len(name) < 256 && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 127 || r == ':' })
}

func (s *store) remove(name string) {
	s.all = slices.DeleteFunc(s.all, func(k kept) bool {
		if k.name == name {
			_ = unix.Close(k.n) // nothing was written to it
		}
		return k.name == name
	})
}

// add returns the descriptors that are not kept.
func (s *store) add(name string, files []int) (rest []int) {
	for _, n := range files {
		if len(s.all) >= maxKept || slices.ContainsFunc(s.all, func(k kept) bool { return isSame(k.n, n) }) {
			rest = append(rest, n)
			continue
		}
		s.all = append(s.all, kept{name, n})
	}
	return rest
}

func isSame(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// hasRecord reports whether a master has left its record: its workers were ready, though that may not have been read.
func (s *store) hasRecord() bool {
	return slices.ContainsFunc(s.all, func(k kept) bool { return fdstore.IsRecord(k.name) })
}

// close closes all.
func (s *store) close() {
	for _, k := range s.all {
		_ = unix.Close(k.n) // nothing was written to it
	}
	s.all = nil
}
