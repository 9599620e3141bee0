//go:build linux

package cluster

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/ipc"
)

// given is a handle that a test sends. Check returns what the worker has said through it.
type given struct {
	kind   string
	handle ipc.Handle
	check  func() (string, error) // what the worker has said through it
}

func givens(t *testing.T) []given {
	t.Helper()
	return []given{givenConn(t), givenListener(t), givenPackets(t), givenFile(t)}
}

func givenConn(t *testing.T) given {
	ln := mustListenPlain(t)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return given{"conn", ipc.FromConn(server), func() (string, error) {
		_ = client.SetDeadline(time.Now().Add(e2etest.Stuck))
		b, err := io.ReadAll(client) // ends only if every copy of the conn is closed
		return string(b), err
	}}
}

func mustListenPlain(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func givenListener(t *testing.T) given {
	ln := mustListenPlain(t)
	return given{"listener", ipc.FromListener(ln), func() (string, error) {
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return "", err
		}
		defer client.Close()
		_ = client.SetDeadline(time.Now().Add(e2etest.Stuck))
		b, err := io.ReadAll(client)
		return string(b), err
	}}
}

func givenPackets(t *testing.T) given {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return given{"packets", ipc.FromPacketConn(c), func() (string, error) {
		client, err := net.Dial("udp", c.LocalAddr().String())
		if err != nil {
			return "", err
		}
		defer client.Close()
		_ = client.SetDeadline(time.Now().Add(e2etest.Stuck))
		_, _ = client.Write([]byte("hello?"))
		buf := make([]byte, 100)
		n, err := client.Read(buf)
		return string(buf[:n]), err
	}}
}

func givenFile(t *testing.T) given {
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return given{"file", ipc.FromFile(f), func() (string, error) {
		b, err := os.ReadFile(path)
		return string(b), err
	}}
}
