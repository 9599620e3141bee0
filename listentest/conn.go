package listentest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"time"

	"golang.org/x/net/nettest"
)

var connCases = []testCase{
	{"ConnTransfer", "io.Writer, io.Reader: every byte arrives, once and in order, in both directions at the same time.", "", connTransfer},
	{"ConnHalfCloseByClient", "net.TCPConn: CloseWrite shuts down the writing side of the connection, and no more than that.", "", connHalfCloseByClient},
	{"ConnHalfCloseByServer", "net.TCPConn: CloseWrite shuts down the writing side; the client reads EOF and can still send.", "", connHalfCloseByServer},
	{"ConnEOF", "io.Reader: Read gives EOF, itself and not wrapped, when there is no more input.", "", connEOF},
	{"ConnConcurrent", "net.Conn: multiple goroutines may invoke methods on a Conn simultaneously: each Write stays in one piece.", "", connConcurrent},
	{"ConnMethods", "Package net: an accepted connection has the methods of *net.TCPConn or *net.UnixConn, with the same types.", "", connMethods},
	{"ConnOptions", "net.TCPConn: SetNoDelay, SetKeepAlive, SetLinger and the buffer sizes can be set.", tcpNets, connOptions},
}

// payload returns n bytes without a repeating pattern.
func payload(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// chunk is the size of one Write.
func (t *trial) chunk() int {
	if t.network == "unixpacket" {
		return 1 << 10
	}
	return 1 << 16
}

// sendAll writes data and then calls CloseWrite.
func (t *trial) sendAll(conn net.Conn, data []byte) error {
	// The wrappers hide ReadFrom and WriteTo, which have their own cases.
	w := struct{ io.Writer }{conn}
	r := struct{ io.Reader }{bytes.NewReader(data)}
	if _, err := io.CopyBuffer(w, r, make([]byte, t.chunk())); err != nil {
		return err
	}
	return conn.(interface{ CloseWrite() error }).CloseWrite()
}

// receiveAll reads conn until EOF.
func receiveAll(conn net.Conn) ([]byte, error) {
	var buf bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&buf}, struct{ io.Reader }{conn}, make([]byte, 1<<16))
	return buf.Bytes(), err
}

func connTransfer(t *trial) {
	server, client := t.pair()
	data := payload(16 * t.chunk())
	up := startErr(t, "sending to the server", func() error { return t.sendAll(client, data) })
	down := startErr(t, "sending to the client", func() error { return t.sendAll(server, data) })
	atServer := start(t, "receiving", func() ([]byte, error) { return receiveAll(server) })
	atClient := start(t, "receiving", func() ([]byte, error) { return receiveAll(client) })
	for _, c := range []*call[struct{}]{up, down} {
		if err := c.waitErr(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	t.wantAll(atServer, data)
	t.wantAll(atClient, data)
}

func (t *trial) wantAll(received *call[[]byte], want []byte) {
	t.Helper()
	if got, err := received.wait(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("received %d bytes of %d, the same: %v, %v", len(got), len(want), bytes.Equal(got, want), err)
	}
}

func connHalfCloseByClient(t *trial) {
	server, client := t.pair()
	t.send(client, "request")
	t.closeWrite(client)
	t.receive(server, "request")
	t.receiveEOF(server)
	t.send(server, "answer")
	t.receive(client, "answer")
}

func connHalfCloseByServer(t *trial) {
	server, client := t.pair()
	t.send(server, "request")
	t.closeWrite(server)
	t.receive(client, "request")
	t.receiveEOF(client)
	t.send(client, "answer")
	t.receive(server, "answer")
}

func (t *trial) closeWrite(conn net.Conn) {
	t.Helper()
	c, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("the connection has no CloseWrite")
	}
	t.must("CloseWrite", c.CloseWrite)
}

func connEOF(t *trial) {
	server, client := t.pair()
	t.send(client, "bye")
	client.Close()
	t.receive(server, "bye")
	for range 2 {
		t.receiveEOF(server)
	}
}

func connConcurrent(t *trial) {
	const writers, records, size = 4, 100, 64
	server, client := t.pair()
	echo := start(t, "echo", func() (int64, error) { return io.Copy(client, client) })
	var writes []*call[struct{}]
	for w := range writers {
		record := bytes.Repeat([]byte{byte('a' + w)}, size)
		writes = append(writes, startErr(t, "Write", func() error { return writeTimes(server, record, records) }))
	}
	for range writers * records {
		t.wantWhole(server, size)
	}
	for _, w := range writes {
		if err := w.waitErr(); err != nil {
			t.Errorf("Write: %v", err)
		}
	}
	t.closeWrite(server)
	echo.wait()
}

func writeTimes(w io.Writer, record []byte, times int) error {
	for range times {
		if _, err := w.Write(record); err != nil {
			return err
		}
	}
	return nil
}

// wantWhole reads one record, which repeats one byte.
func (t *trial) wantWhole(r io.Reader, size int) {
	t.Helper()
	record := make([]byte, size)
	if _, err := soon(t, "Read", func() (int, error) { return io.ReadFull(r, record) }); err != nil {
		t.Fatalf("Read: %v", err)
	}
	if !bytes.Equal(record, bytes.Repeat(record[:1], size)) {
		t.Fatalf("a Write was torn: %q", record)
	}
}

func connMethods(t *trial) {
	server, client := t.pair()
	t.wantMethods(server, client)
}

// wantMethods checks that got has every method of plain, with the same type.
func (t *trial) wantMethods(got, plain any) {
	t.Helper()
	for i := range reflect.TypeOf(plain).NumMethod() {
		name, want := reflect.TypeOf(plain).Method(i).Name, reflect.ValueOf(plain).Method(i)
		if has := reflect.ValueOf(got).MethodByName(name); !has.IsValid() {
			t.Errorf("%T has no method %s", got, name)
		} else if has.Type() != want.Type() {
			t.Errorf("%T has %s as %v, net has %v", got, name, has.Type(), want.Type())
		}
	}
}

func connOptions(t *trial) {
	server, client := t.pair()
	c, ok := server.(interface {
		SetNoDelay(bool) error
		SetKeepAlive(bool) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		SetLinger(int) error
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	})
	if !ok {
		t.Fatalf("%T does not have the options of *net.TCPConn", server)
	}
	t.must("SetNoDelay", func() error { return c.SetNoDelay(false) })
	t.must("SetKeepAlive", func() error { return c.SetKeepAlive(true) })
	t.must("SetKeepAliveConfig", func() error {
		return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute})
	})
	t.must("SetLinger", func() error { return c.SetLinger(-1) })
	t.must("SetReadBuffer", func() error { return c.SetReadBuffer(1 << 16) })
	t.must("SetWriteBuffer", func() error { return c.SetWriteBuffer(1 << 16) })
	t.exchange(server, client)
}

var nettestCases = []testCase{
	{"ConnNettest", "golang.org/x/net/nettest: TestConn passes with the accepted connections.", "", connNettest},
}

func connNettest(t *trial) {
	real, ok := t.tb.(testingTB)
	if !ok {
		t.Skipf("nettest.TestConn needs a *testing.T")
	}
	ln := t.listen()
	nettest.TestConn(real.T, func() (c1, c2 net.Conn, stop func(), err error) {
		c2, err = net.Dial(t.network, ln.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		c1, err = ln.Accept()
		if err != nil {
			c2.Close()
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}
