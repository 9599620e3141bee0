package bind

import (
	"io/fs"
	"net"
	"os"
)

// narrow gives the file of a unix socket that is about to be bound its mode,
// where the system can: from there on umask may take bits away, and widen gives
// them back.
func narrow(fd int, mode fs.FileMode) error { return fchmod(fd, uint32(mode.Perm())) }

// widen gives the file of a unix socket the bits that umask has taken.
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
