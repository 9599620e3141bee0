package listentest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"time"
)

var connCases = []testCase{
	{"ConnTransfer", "io.Writer, io.Reader: every byte arrives, once and in order, in both directions at the same time.", "", connTransfer},
	{"ConnHalfCloseByClient", "net.TCPConn: CloseWrite shuts down the writing side of the connection, and no more than that.", "", connHalfCloseByClient},
	{"ConnHalfCloseByServer", "CloseWrite of an accepted connection keeps working (docs/contract.md#returned-conns).", "", connHalfCloseByServer},
	{"ConnEOF", "io.Reader: Read gives EOF, itself and not wrapped, when there is no more input.", "", connEOF},
	{"ConnConcurrent", "net.Conn: multiple goroutines may invoke methods on a Conn simultaneously: each Write stays in one piece.", "", connConcurrent},
	{"ConnMethods", "Accept gives conns that embed *net.TCPConn or *net.UnixConn (docs/contract.md#returned-conns).", "", connMethods},
	{"ConnOptions", "SetNoDelay and the like keep working (docs/contract.md#returned-conns).", tcpNets, connOptions},
}

// payload is n bytes that do not repeat.
func payload(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// chunk is how much to write at once.
func (t *trial) chunk() int {
	if t.network == "unixpacket" {
		return 1 << 10
	}
	return 1 << 16
}

// sendAll writes data and then closes that direction.
func (t *trial) sendAll(conn net.Conn, data []byte) error {
	// Without the fast paths of either side: those have cases of their own.
	w := struct{ io.Writer }{conn}
	r := struct{ io.Reader }{bytes.NewReader(data)}
	if _, err := io.CopyBuffer(w, r, make([]byte, t.chunk())); err != nil {
		return err
	}
	return conn.(interface{ CloseWrite() error }).CloseWrite()
}

// receiveAll reads to the end.
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
	t.send(client, "last words")
	t.closeWrite(client)
	t.receive(server, "last words")
	t.receiveEOF(server)
	t.send(server, "answer")
	t.receive(client, "answer")
}

func connHalfCloseByServer(t *trial) {
	server, client := t.pair()
	t.send(server, "last words")
	t.closeWrite(server)
	t.receive(client, "last words")
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
	t.send(client, "farewell")
	client.Close()
	t.receive(server, "farewell")
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

// wantWhole reads a record, which is one byte many times.
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

// wantMethods wants of got everything that a thing of plain net can do.
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
