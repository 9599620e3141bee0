package lifeline

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	gone := make(chan string, 3)
	Watch("", func() { gone <- "no keeper" })()
	Watch(path, func() { gone <- "kept" })
	first := accept(t, ln)
	stop := Watch(path, func() { gone <- "stopped" })
	defer accept(t, ln).Close()
	stop()
	select {
	case who := <-gone:
		t.Fatalf("%s was told before the end", who)
	case <-time.After(10 * time.Millisecond):
	}
	first.Close()
	await(t, gone, "kept")
	_ = ln.Close()
	Watch(path, func() { gone <- "none" })
	await(t, gone, "none")
	select {
	case who := <-gone:
		t.Errorf("%s was told too", who)
	case <-time.After(10 * time.Millisecond):
	}
}

// accept returns a connection on which something was written, which says nothing.
func accept(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	c, err := ln.Accept()
	if err == nil {
		_, err = c.Write([]byte("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func await(t *testing.T, gone <-chan string, want string) {
	t.Helper()
	select {
	case who := <-gone:
		if who != want {
			t.Fatalf("%s was told, want %s", who, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s wasn't told", want)
	}
}
