package spread

// Steer has new clients go to the first n of the sockets that descriptor fd belongs to, in the
// order in which they were opened: connections at random, and with packet the datagrams by a
// hash of their source, so that those of one client go to one socket. What waits in the queues
// of the others stays there. It fails on an MPTCP socket.
func Steer(fd, n int, packet bool) error { return steer(fd, n, packet) }

// Unsteer has them go to all, as the kernel chooses.
func Unsteer(fd int) error { return unsteer(fd) }
