package health

import (
	"errors"
	"io"
	"net"
	"time"
)

// acceptPause is how long to wait after an error of Accept other than the listener's end, such
// as too many open files.
const acceptPause = 50 * time.Millisecond

// serveAgent tells each client the state in one line.
func (s *Server) serveAgent(ln net.Listener) {
	for {
		c, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(acceptPause)
		default:
			go s.tell(c)
		}
	}
}

// tell writes the line, and reads what the client has sent (agent-send): to close a TCP
// connection with unread bytes resets it, and the client could lose the line.
func (s *Server) tell(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(clientLimit)) // never fails on a net.Conn
	if _, err := io.WriteString(c, s.report().agent(s.cfg)+"\n"); err != nil {
		return
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c, headerLimit) // until the client has closed it
	}
}
