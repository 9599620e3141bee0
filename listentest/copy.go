package listentest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
)

var copyCases = []testCase{
	{"ConnReadFrom", "net.TCPConn: ReadFrom implements the io.ReaderFrom ReadFrom method; it may use sendfile(2).", tcpNets, connReadFrom},
	{"ConnWriteTo", "net.TCPConn: WriteTo implements the io.WriterTo WriteTo method; it may use splice(2).", tcpNets, connWriteTo},
	{"ConnBuffers", "net.Buffers: its WriteTo writes every buffer, in order.", byteNets, connBuffers},
}

const copied = 1 << 20

// connReadFrom sends a file in two parts, the first through an io.LimitedReader.
func connReadFrom(t *trial) {
	server, client := t.pair()
	dst, ok := server.(io.ReaderFrom)
	if !ok {
		t.Fatalf("%T has no ReadFrom", server)
	}
	data := payload(copied)
	f := t.file(data)
	received := start(t, "receiving", func() ([]byte, error) { return receiveAll(client) })
	for _, part := range []io.Reader{io.LimitReader(f, copied/4), f} {
		if _, err := soon(t, "ReadFrom", func() (int64, error) { return dst.ReadFrom(part) }); err != nil {
			t.Errorf("ReadFrom: %v", err)
		}
	}
	t.closeWrite(server)
	t.wantAll(received, data)
}

// file returns an open file that holds data. It is closed when the case ends.
func (t *trial) file(data []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.dir(), "data")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatalf("no file: %v", err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatalf("no file: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// connWriteTo copies as a proxy does: from client through server and next to end.
func connWriteTo(t *trial) {
	server, client := t.pair()
	src, ok := server.(io.WriterTo)
	if !ok {
		t.Fatalf("%T has no WriteTo", server)
	}
	next, end := t.plainPair()
	data := payload(copied)
	sent := startErr(t, "sending", func() error { return t.sendAll(client, data) })
	received := start(t, "receiving", func() ([]byte, error) { return receiveAll(end) })
	if n, err := soon(t, "WriteTo", func() (int64, error) { return src.WriteTo(next) }); n != copied || err != nil {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if err := sent.waitErr(); err != nil {
		t.Errorf("sending: %v", err)
	}
	t.closeWrite(next)
	t.wantAll(received, data)
}

// plainPair returns a connection made by package net alone.
func (t *trial) plainPair() (a, b net.Conn) {
	t.Helper()
	ln := t.plainListen(t.address())
	a = t.dialTo(ln.Addr().String())
	return a, t.accept(ln)
}

func connBuffers(t *trial) {
	server, client := t.pair()
	parts := net.Buffers{payload(10), payload(100_000), payload(1)}
	want := bytes.Join(parts, nil)
	received := start(t, "receiving", func() ([]byte, error) { return receiveAll(client) })
	if n, err := soon(t, "WriteTo", func() (int64, error) { return parts.WriteTo(server) }); n != int64(len(want)) || err != nil {
		t.Errorf("net.Buffers.WriteTo: %d of %d, %v", n, len(want), err)
	}
	t.closeWrite(server)
	t.wantAll(received, want)
}
