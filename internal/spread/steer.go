package spread

// Steer has new connections go to the first n of the sockets that descriptor fd belongs to, in
// the order in which they began to listen, by the hash of their addresses. What waits in the
// queues of the others stays there. It fails on an MPTCP socket.
func Steer(fd, n int) error { return steer(fd, n) }
