package bind

import (
	"os"
	"syscall"
)

// queue sets the length of the accept queue of a socket that listens already, by a second
// listen(2).
func queue(s any, length int) error {
	sc, ok := s.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = listen(int(fd), length) }); cerr != nil {
		return cerr
	}
	return os.NewSyscallError("listen", err)
}
