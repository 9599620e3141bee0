package spread

// Steer has new clients go to some of the sockets that descriptor fd belongs to, named in the order in
// which they were opened: connections at random, and with packet the datagrams by a
// hash of their source, so that those of one client go to one socket. What waits in the queues
// of the others stays there. It fails on an MPTCP socket, and for more than some 2,000 sockets.
func Steer(fd int, to []int, packet bool) error { return steer(fd, to, packet) }

// First returns the first n sockets.
func First(n int) (to []int) {
	for i := range n {
		to = append(to, i)
	}
	return to
}

// Unsteer has them go to all, as the kernel chooses.
func Unsteer(fd int) error { return unsteer(fd) }
