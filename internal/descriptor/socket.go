package descriptor

// Listens reports whether socket n listens. The error is a bare errno: ENOTSOCK or EBADF if
// n is not a socket.
func Listens(n int) (bool, error) { return listens(n) }

// Cookie returns the number by which the kernel tells socket n from all others. It is the
// same in every process that has the socket, and no other socket ever gets it. The error is
// a bare errno.
func Cookie(n int) (uint64, error) { return cookie(n) }

// FromRights returns the descriptors in control messages, which the caller closes. With an
// error there may be others that it can't parse.
func FromRights(oob []byte) ([]*FD, error) { return fromRights(oob) }

// IsShutForReading reports whether a process that has socket n has called shutdown(2) on it for reading, or
// both ways. Only Linux tells.
func IsShutForReading(n int) bool { return isShutForReading(n) }

// IsShutForWriting reports the same of writing, for a socket for datagrams.
func IsShutForWriting(n int) bool { return isShutForWriting(n) }
