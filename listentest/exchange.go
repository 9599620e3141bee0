package listentest

import (
	"fmt"
	"io"
	"net"
)

// exchange sends a message each way.
func (t *trial) exchange(a, b net.Conn) {
	t.Helper()
	t.send(a, "there")
	t.receive(b, "there")
	t.send(b, "and back")
	t.receive(a, "and back")
}

// send writes text to w.
func (t *trial) send(w io.Writer, text string) {
	t.Helper()
	n, err := soon(t, "Write", func() (int, error) { return w.Write([]byte(text)) })
	if n != len(text) || err != nil {
		t.Fatalf("Write of %d bytes: %d, %v", len(text), n, err)
	}
}

// receive reads text from r.
func (t *trial) receive(r io.Reader, text string) {
	t.Helper()
	buf := make([]byte, len(text))
	_, err := soon(t, "Read", func() (int, error) { return io.ReadFull(r, buf) })
	if err != nil || string(buf) != text {
		t.Fatalf("Read: %q, %v; want %q", buf, err, text)
	}
}

// receiveEOF checks that r is at its end.
func (t *trial) receiveEOF(r io.Reader) {
	t.Helper()
	n, err := soon(t, "Read", func() (int, error) { return r.Read(make([]byte, 16)) })
	if n != 0 || err != io.EOF {
		t.Fatalf("Read at the end: %d, %v; want 0, EOF", n, err)
	}
}

// line returns the result of one Read of at most n bytes: the text, or the error's.
func (t *trial) line(conn net.Conn, n int) string {
	t.Helper()
	buf := make([]byte, n)
	got, err := soon(t, "Read", func() (int, error) { return conn.Read(buf) })
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(buf[:got])
}
