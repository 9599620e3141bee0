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
