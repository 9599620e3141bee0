package bind

import (
	"io/fs"
	"net"
	"os"
)

// narrow sets the mode with which bind(2) creates the file of a unix socket, where the
// system supports that. umask may clear bits of it, which widen sets again.
func narrow(fd int, mode fs.FileMode) error { return fchmod(fd, uint32(mode.Perm())) }

// widen sets the bits of a unix socket's file that umask has cleared.
func (o Options) widen(addr net.Addr) error {
	if o.Mode == 0 || !IsPath(addr.Network(), addr.String()) {
		return nil
	}
	info, err := os.Lstat(addr.String())
	if err != nil || info.Mode().Perm() == o.Mode.Perm() {
		return err
	}
	return os.Chmod(addr.String(), o.Mode.Perm())
}
