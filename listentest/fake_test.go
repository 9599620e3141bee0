package listentest

import (
	"cmp"
	"net"
	"os"
	"time"
)

// A fake is a listener whose methods a test can replace.
type fake struct {
	*net.TCPListener
	accept   func() (net.Conn, error)
	typed    func() (*net.TCPConn, error)
	close    func() error
	addr     func() net.Addr
	deadline func(time.Time) error
	file     func() (*os.File, error)
}

func newFake(ln *net.TCPListener) *fake {
	return &fake{ln, ln.Accept, ln.AcceptTCP, ln.Close, ln.Addr, ln.SetDeadline, ln.File}
}

func (f *fake) Accept() (net.Conn, error)        { return f.accept() }
func (f *fake) AcceptTCP() (*net.TCPConn, error) { return f.typed() }
func (f *fake) Close() error                     { return f.close() }
func (f *fake) Addr() net.Addr                   { return f.addr() }
func (f *fake) SetDeadline(t time.Time) error    { return f.deadline(t) }
func (f *fake) File() (*os.File, error)          { return f.file() }

// A fakeConn is a connection whose methods a test can replace.
type fakeConn struct {
	*net.TCPConn
	read       func([]byte) (int, error)
	write      func([]byte) (int, error)
	close      func() error
	closeWrite func() error
	remote     func() net.Addr
	deadline   func(time.Time) error // of reading
	wdeadline  func(time.Time) error // of writing
	noDelay    func(bool) error
}

func newFakeConn(c *net.TCPConn) *fakeConn {
	return &fakeConn{c, c.Read, c.Write, c.Close, c.CloseWrite, c.RemoteAddr, c.SetReadDeadline, c.SetWriteDeadline, c.SetNoDelay}
}

func (c *fakeConn) Read(b []byte) (int, error)         { return c.read(b) }
func (c *fakeConn) Write(b []byte) (int, error)        { return c.write(b) }
func (c *fakeConn) Close() error                       { return c.close() }
func (c *fakeConn) CloseWrite() error                  { return c.closeWrite() }
func (c *fakeConn) RemoteAddr() net.Addr               { return c.remote() }
func (c *fakeConn) SetDeadline(t time.Time) error      { return cmp.Or(c.deadline(t), c.wdeadline(t)) }
func (c *fakeConn) SetReadDeadline(t time.Time) error  { return c.deadline(t) }
func (c *fakeConn) SetWriteDeadline(t time.Time) error { return c.wdeadline(t) }
func (c *fakeConn) SetNoDelay(on bool) error           { return c.noDelay(on) }

// A bareConn is a connection with the methods of net.Conn and CloseWrite only.
type bareConn struct {
	net.Conn
	write func([]byte) (int, error)
}

func (c bareConn) Write(b []byte) (int, error) { return c.write(b) }
func (c bareConn) CloseWrite() error           { return c.Conn.(*net.TCPConn).CloseWrite() }

// A fakePacket is a packet conn whose methods a test can replace.
type fakePacket struct {
	*net.UDPConn
	read      func([]byte) (int, net.Addr, error)
	write     func([]byte, net.Addr) (int, error)
	close     func() error
	local     func() net.Addr
	deadline  func(time.Time) error // of reading
	wdeadline func(time.Time) error // of writing
}

func newFakePacket(c *net.UDPConn) *fakePacket {
	return &fakePacket{c, c.ReadFrom, c.WriteTo, c.Close, c.LocalAddr, c.SetReadDeadline, c.SetWriteDeadline}
}

func (p *fakePacket) ReadFrom(b []byte) (int, net.Addr, error)   { return p.read(b) }
func (p *fakePacket) WriteTo(b []byte, to net.Addr) (int, error) { return p.write(b, to) }
func (p *fakePacket) Close() error                               { return p.close() }
func (p *fakePacket) LocalAddr() net.Addr                        { return p.local() }
func (p *fakePacket) SetDeadline(t time.Time) error              { return cmp.Or(p.deadline(t), p.wdeadline(t)) }
func (p *fakePacket) SetReadDeadline(t time.Time) error          { return p.deadline(t) }
func (p *fakePacket) SetWriteDeadline(t time.Time) error         { return p.wdeadline(t) }
