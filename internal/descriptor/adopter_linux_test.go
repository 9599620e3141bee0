//go:build linux

package descriptor

import (
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// An Adopter makes conns of sockets that go on as before, keeps none of them open after Clear,
// and refuses a file.
func TestAdopter(t *testing.T) {
	a, err := NewAdopter()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for range 3 {
		adoptOne(t, a, ln)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := DupOf(null)
	null.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	if c, err := a.Conn(fd); err == nil {
		t.Errorf("a file is a conn: %v", c)
	}
}

// adoptOne adopts a connection, uses it both ways, and ends it.
func adoptOne(t *testing.T, a *Adopter, ln net.Listener) {
	t.Helper()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := DupOf(server)
	server.Close()
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Conn(fd)
	if err != nil {
		t.Fatal(err)
	}
	fd.Close()
	if c.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("the peer is %v, want %v", c.RemoteAddr(), client.LocalAddr())
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	client.SetDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4)
	go io.WriteString(client, "ping")
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
		t.Errorf("read %q, %v", b, err)
	}
	c.Close()
	a.Clear()
	if _, err := client.Read(b); err != io.EOF {
		t.Errorf("the connection is still open: %v", err)
	}
}
