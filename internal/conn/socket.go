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

// ClientEnded reports whether the client has ended its side. It is true where the platform
// can't tell; see hidesEnd.
func (s *socket) ClientEnded() bool {
	switch c := s.Conn.(type) {
	case *net.TCPConn:
		return hasFin(c)
	case *net.UnixConn:
		return hungUp(c)
	}
	return true
}

// hidesEnd reports whether ClientEnded is false of a client that has only closed its writing
// side: once the reading side of a unix socket is shut down, nothing tells that. As nothing
// can come from the client then, its end may be assumed when the program is silent.
func (s *socket) hidesEnd() bool {
	_, is := s.Conn.(*net.UnixConn)
	return is
}

// CloseRead shuts down the reading side. Only tracked connections are asked to: these
// are a ReadCloser.
func (s *socket) CloseRead() error { return s.Conn.(ReadCloser).CloseRead() }
