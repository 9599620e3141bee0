//go:build linux

package descriptor

import (
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// Listeners makes listeners that are non-blocking and accept, of any goroutine, and keeps none of them open.
func TestListeners(t *testing.T) {
	var l Listeners
	for range 3 {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { listenAgain(t, &l) })
		}
		wg.Wait()
	}
	if _, err := l.Listener(New(-1)); err == nil {
		t.Error("a closed descriptor is a listener")
	}
	l.adopter.Close()
}

// listenAgain makes a second listener of a socket, whose O_NONBLOCK somebody has cleared. When it is closed,
// nobody listens at the address.
func listenAgain(t *testing.T, l *Listeners) {
	original, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return
	}
	defer original.Close()
	fd, err := DupOf(original)
	if err != nil {
		t.Error(err)
		return
	}
	defer fd.Close()
	_ = unix.SetNonblock(fd.Int(), false)
	ln, err := l.Listener(fd)
	if err != nil {
		t.Error(err)
		return
	}
	if nonblock, _ := flagsOf(t, fd.Int()); !nonblock || ln.Addr().String() != original.Addr().String() {
		t.Errorf("non-blocking: %v, at %v, want true and %v", nonblock, ln.Addr(), original.Addr())
	}
	original.Close()
	dialAndAccept(t, ln)
	ln.Close()
	fd.Close()
	if c, err := net.Dial("tcp", original.Addr().String()); err == nil {
		t.Error("the socket is still open")
		c.Close()
	}
}
