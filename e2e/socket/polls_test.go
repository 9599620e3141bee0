//go:build linux

package socket

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// udpPolls answers datagrams after 600 ms in one of two goroutines, which do something else every 20 ms.
func udpPolls() {
	conn, err := rota.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() { poll(conn) })
	}
	readers.Wait()
}

func poll(conn net.PacketConn) {
	var polls sync.Once
	for b := make([]byte, 64); ; {
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		n, from, err := conn.ReadFrom(b)
		switch {
		case err == nil:
			fmt.Fprintln(os.Stderr, "has", string(b[:n]))
			time.Sleep(600 * time.Millisecond)
			_, _ = conn.WriteTo(b[:n], from)
		case errors.Is(err, net.ErrClosed):
			return
		case !errors.Is(err, os.ErrDeadlineExceeded):
			log.Fatal(err)
		}
		polls.Do(func() { fmt.Fprintln(os.Stderr, "polls") })
	}
}

// Programs that read again and again with short deadlines don't keep their worker until the end of the grace, and a goroutine that
// reads doesn't end the answer of another.
func TestDrainOfAProgramThatPolls(t *testing.T) {
	p := e2etest.Start(t, "udp-polls", server.Quick(1))
	c, err := net.Dial("udp", p.Addr())
	e2etest.NoError(t, err)
	defer c.Close()
	p.WaitOutput("polls", 2) // a goroutine that begins to read later can't be told from one that has answered
	_, err = c.Write([]byte("x"))
	e2etest.NoError(t, err)
	p.WaitOutput("has x", 1)
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	_ = c.SetReadDeadline(time.Now().Add(e2etest.Stuck))
	_, err = c.Read(make([]byte, 64))
	e2etest.NoError(t, err)
	p.Wait()
	if took := time.Since(began); took > e2etest.Stuck/4 {
		t.Errorf("it took %v", took)
	}
}
