package descriptor

// Refuse makes the kernel refuse new connections to the listening socket n, while those that
// have reached it can still be accepted: connections in the queue, and those whose handshake
// is under way. It is for a socket that is about to be closed by all who have it, because
// close(2) resets what waits in the queue. It can't be taken back.
//
// The socket is bound to a network interface that doesn't exist, so that no SYN finds it.
// That needs no privilege, unless the program has bound the socket to an interface itself. To
// a unix socket it is only a mark.
func Refuse(n int) error { return refuse(n) }

// Refuses reports whether Refuse was called for the socket n, by any process that has it.
func Refuses(n int) bool { return refuses(n) }

// Waiting reports whether a connection waits in the queue of the listening socket n, or a datagram in that of another.
func Waiting(n int) bool { return waiting(n) }
