package bind

import (
	"net"
	"syscall"
)

// Revive makes a stream socket listen again on addr that one of its holders has stopped by
// shutdown(2), which stops it for all of them. It keeps its port. Any holder may call it;
// backlog 0 means the longest queue. It reports whether s listens. It can't revive a unix
// socket, of which the kernel remembers the shutdown.
func Revive(s syscall.Conn, addr net.Addr, backlog int) (ok bool) {
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) { ok = ReviveSocket(int(fd), addr, backlog) })
	return ok && err == nil
}

// ReviveSocket is Revive for socket n.
func ReviveSocket(n int, addr net.Addr, backlog int) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && revive(n, tcp, backlog) == nil
}
