package conn

import "net"

// socket is the connection that the program's conn is made of. It is an http1.Socket.
type socket struct{ net.Conn }

// InputWaiting reports whether input waits that the program hasn't read, where the
// platform can tell.
func (s *socket) InputWaiting() bool {
	switch c := s.Conn.(type) {
	case *net.TCPConn:
		return unread(c)
	case *net.UnixConn:
		return unread(c)
	}
	return false
}

// OutputWaiting reports whether some of the program's bytes haven't left for the client
// yet, where the platform can tell.
func (s *socket) OutputWaiting() bool {
	c, ok := s.Conn.(*net.TCPConn)
	return ok && unsent(c)
}

// WriteMayWait reports whether a Write of the program may be waiting for the client to
// read, where the platform can tell.
func (s *socket) WriteMayWait() bool {
	c, ok := s.Conn.(*net.UnixConn)
	return ok && unreceived(c) || s.OutputWaiting()
}

// CloseRead shuts down the reading side. Only tracked connections are asked to: these
// are a ReadCloser.
func (s *socket) CloseRead() error { return s.Conn.(ReadCloser).CloseRead() }
