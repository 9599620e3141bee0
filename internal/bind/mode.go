package bind

import (
	"io/fs"
	"net"
	"os"
)

// narrow sets the mode with which bind(2) creates the file of a unix socket, where the
// system supports that. umask may clear bits of it, which widen sets again.
func narrow(fd int, mode fs.FileMode) error { return fchmod(fd, uint32(mode.Perm())) }

// widen sets the bits of a unix socket's file that umask has cleared. It changes sockets
// alone: if somebody has put a symbolic link or a file there meanwhile, it fails.
func (o Options) widen(addr net.Addr) error {
	if o.Mode == 0 || !IsPath(addr.Network(), addr.String()) {
		return nil
	}
	return os.NewSyscallError("chmod", chmod(addr.String(), uint32(o.Mode.Perm())))
}

// WithUmask returns r with the mode that net.Listen in this process would give the file of
// a unix socket: the master has another umask. umask returns -1 if it is not known.
func (r Request) WithUmask(umask func() int) Request {
	if r.Mode != 0 || !IsPath(r.Network, r.Address) {
		return r
	}
	if u := umask(); u >= 0 {
		r.Mode = fs.ModePerm &^ fs.FileMode(u)
	}
	return r
}
