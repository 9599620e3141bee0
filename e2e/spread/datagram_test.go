//go:build linux

package spread

import (
	"fmt"
	"log"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// datagrams answers each with the slot and the generation of the worker.
func datagrams() { answerEach(0) }

// slowDatagrams takes its time for each.
func slowDatagrams() { answerEach(5 * time.Millisecond) }

func answerEach(takes time.Duration) {
	pc, err := rota.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 100)
	for {
		_, from, err := pc.ReadFrom(buf)
		if err != nil {
			log.Fatal(err)
		}
		time.Sleep(takes)
		w := worker.Self()
		_, _ = pc.WriteTo(fmt.Appendf(nil, "%d %d", w.Slot(), w.Generation()), from)
	}
}

// With SpreadSlots the datagrams of a client come to one slot, before a reload and after it.
func TestClientStaysInItsSlot(t *testing.T) {
	cfg := server.Quick(4)
	cfg.Spread = master.SpreadSlots
	p := e2etest.Start(t, "datagrams", cfg)
	slots := map[int]bool{}
	for range 100 {
		c, err := net.Dial("udp", p.Addr())
		e2etest.NoError(t, err)
		defer c.Close()
		slot, generation := ask(t, c)
		slots[slot] = true
		for range 5 {
			if again, _ := ask(t, c); again != slot {
				t.Fatalf("a client of slot %d comes to slot %d", slot, again)
			}
		}
		if len(slots) == 4 {
			p.Reload()
			e2etest.WaitFor(t, "the next generation", func() bool {
				again, next := ask(t, c)
				if again != slot {
					t.Fatalf("a client of slot %d comes to slot %d after a reload", slot, again)
				}
				return next > generation
			})
			return
		}
	}
	t.Errorf("100 clients come to %d of 4 slots", len(slots))
}

// Datagrams that wait in a socket from which no other worker reads are answered: when their slot is gone, and in a stop.
func TestDatagramsThatWait(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"fewer slots": syscall.SIGTTOU, "stop": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			cfg := server.Quick(2)
			cfg.Spread = master.SpreadSlots
			p := e2etest.Start(t, "slow datagrams", cfg)
			var clients []net.Conn
			for range 40 {
				c, err := net.Dial("udp", p.Addr())
				e2etest.NoError(t, err)
				defer c.Close()
				clients = append(clients, c)
			}
			for _, c := range clients {
				_, err := c.Write([]byte("?"))
				e2etest.NoError(t, err)
			}
			p.Signal(signal)
			for i, c := range clients {
				_ = c.SetReadDeadline(time.Now().Add(e2etest.Stuck / 4))
				if _, err := c.Read(make([]byte, 100)); err != nil {
					t.Fatalf("client %d: %v", i, err)
				}
			}
		})
	}
}

// ask sends a datagram, again if it has got lost, and returns who has answered.
func ask(t *testing.T, c net.Conn) (slot, generation int) {
	t.Helper()
	buf := make([]byte, 100)
	for end := time.Now().Add(e2etest.Stuck); time.Now().Before(end); {
		_, err := c.Write([]byte("?"))
		e2etest.NoError(t, err)
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(buf)
		if err != nil {
			continue
		}
		if _, err := fmt.Sscan(string(buf[:n]), &slot, &generation); err != nil {
			t.Fatal(err)
		}
		return slot, generation
	}
	t.Fatal("no answer")
	return 0, 0
}
