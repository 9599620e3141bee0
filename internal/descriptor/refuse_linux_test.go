//go:build linux

package descriptor

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// A socket that refuses gives what waits in its queue to Accept, and refuses the next
// client, whether it is TCP or MPTCP.
func TestRefuse(t *testing.T) {
	for _, multipath := range []bool{true, false} {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			var cfg net.ListenConfig
			cfg.SetMultipathTCP(multipath)
			ln, err := cfg.Listen(context.Background(), "tcp", address)
			if err != nil {
				t.Skip(err)
			}
			defer ln.Close()
			testRefuse(t, ln)
		}
	}
}

func testRefuse(t *testing.T, ln net.Listener) {
	t.Helper()
	fd := dupOf(t, ln)
	defer fd.Close()
	if Waiting(fd.Int()) || Refuses(fd.Int()) {
		t.Error("a new socket has connections, or refuses them")
	}
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if !Waiting(fd.Int()) {
		t.Error("the connection doesn't wait")
	}
	if err := Refuse(fd.Int()); err != nil || !Refuses(fd.Int()) {
		t.Fatalf("Refuse: %v; refuses: %v", err, Refuses(fd.Int()))
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the next client: %v, want ECONNREFUSED", err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = server.Write([]byte("answer"))
	server.Close()
	if b, err := io.ReadAll(client); string(b) != "answer" || err != nil {
		t.Errorf("the client has read %q, %v", b, err)
	}
}

// A unix socket is only marked.
func TestRefuseMarksUnixSockets(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	fd := dupOf(t, ln)
	defer fd.Close()
	if err := Refuse(fd.Int()); err != nil || !Refuses(fd.Int()) {
		t.Errorf("Refuse: %v; refuses: %v", err, Refuses(fd.Int()))
	}
}
