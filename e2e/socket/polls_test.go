//go:build linux

package socket

import (
	"errors"
	"log"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// udpPolls answers datagrams, and does something else every 20 ms.
func udpPolls() {
	conn, err := rota.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	for b := make([]byte, 64); ; {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, from, err := conn.ReadFrom(b)
		switch {
		case err == nil:
			_, _ = conn.WriteTo(b[:n], from)
		case errors.Is(err, net.ErrClosed):
			return
		case !errors.Is(err, os.ErrDeadlineExceeded):
			log.Fatal(err)
		}
	}
}

// A program that reads again and again with short deadlines doesn't keep its worker until the end of the grace.
func TestDrainOfAProgramThatPolls(t *testing.T) {
	p := e2etest.Start(t, "udp-polls", server.Quick(1))
	c, err := net.Dial("udp", p.Addr())
	e2etest.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("x"))
	e2etest.NoError(t, err)
	_ = c.SetReadDeadline(time.Now().Add(e2etest.Stuck))
	_, err = c.Read(make([]byte, 64))
	e2etest.NoError(t, err)
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	p.Wait()
	if took := time.Since(began); took > e2etest.Stuck/4 {
		t.Errorf("it took %v", took)
	}
}
