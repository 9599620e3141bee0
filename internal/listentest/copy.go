package listentest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
)

var copyCases = []testCase{
	{"ConnReadFrom", "ReadFrom keeps working, sendfile too (io.Copy from a file to the connection) (docs/contract.md#returned-conns).", tcpNets, connReadFrom},
	{"ConnWriteTo", "WriteTo keeps working, splice too (io.Copy from the connection to another one) (docs/contract.md#returned-conns).", tcpNets, connWriteTo},
	{"ConnBuffers", "net.Buffers: its WriteTo writes every buffer, in order.", byteNets, connBuffers},
}

const copied = 1 << 20

// connReadFrom sends a file in two parts, as io.CopyN and as io.Copy do.
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

// file is one that holds data and is open at its beginning.
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

// connWriteTo is a proxy: client, server, next, end.
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

// plainPair is a connection that the implementation has no part in.
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
