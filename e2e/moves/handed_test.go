//go:build linux

package moves

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/master"
	"github.com/rota-go/rota/worker"
)

// count is a server of a protocol of its own: it answers each line with its number on this
// connection and its generation. Its connections outlive it.
func count() {
	self := worker.Self()
	if self != nil {
		self.OnHandOver(func(c net.Conn, m ipc.Message) {
			var s session
			if err := m.Decode(&s); err != nil {
				log.Fatal(err)
			}
			s.serve(self, c)
		})
	}
	lc := rota.ListenConfig{Opaque: true}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go new(session).serve(self, c)
	}
}

// countDiesSecond is count, except that the new worker of the second slot dies during its trial.
func countDiesSecond() {
	if w := worker.Self(); w != nil && w.Generation() == 2 && w.Slot() == 1 {
		time.AfterFunc(100*time.Millisecond, func() { os.Exit(4) })
	}
	count()
}

// session is what a server of count knows of a connection.
type session struct {
	N      int
	Unread string // was read, and not handled
}

func (s *session) serve(self *worker.Worker, c net.Conn) {
	defer c.Close()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-self.CanHandOver():
			c.SetReadDeadline(time.Unix(1, 0))
		case <-done:
		}
	}()
	b := make([]byte, 64)
	for {
		for s.answer(self, c) {
		}
		n, err := c.Read(b)
		s.Unread += string(b[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err = self.HandOver(c, s); err == nil {
				return
			}
			fmt.Println("no hand-over:", err)
			c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		} else if err != nil {
			return
		}
	}
}

// answer answers the next line, if it is there.
func (s *session) answer(self *worker.Worker, c net.Conn) bool {
	_, rest, ok := strings.Cut(s.Unread, "\n")
	if ok {
		s.N, s.Unread = s.N+1, rest
		fmt.Fprintf(c, "%d generation %d pid %d\n", s.N, self.Generation(), os.Getpid())
	}
	return ok
}

// counters is a load of clients that each keep one connection of count, send lines in pieces, and want
// each answer in its turn.
func counters(t *testing.T, load *e2etest.Load, addr string, clients int) {
	for i := range clients {
		c, err := net.DialTimeout("tcp", addr, e2etest.Stuck)
		e2etest.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		r, n := bufio.NewReader(c), 0
		load.Add(1, func() (body string, err error) {
			c.SetDeadline(time.Now().Add(e2etest.Stuck))
			fmt.Fprint(c, "first\nsec")
			time.Sleep(time.Duration(i) * time.Millisecond)
			fmt.Fprint(c, "ond\n")
			for range 2 {
				n++
				if body, err = r.ReadString('\n'); err != nil || !strings.HasPrefix(body, fmt.Sprint(n, " ")) {
					return body, fmt.Errorf("answer %d is %q, %w", n, body, err)
				}
			}
			return body[strings.IndexByte(body, ' ')+1:], nil
		})
	}
}

// Connections that the program hands over live through reloads, with what it knows of them: no
// answer is lost, or out of its turn.
func TestHandOverInReloads(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 4} {
		t.Run(e2etest.Plural(workers), func(t *testing.T) {
			p := e2etest.Start(t, "count", server.Quick(workers))
			load := e2etest.NewLoad()
			counters(t, load, p.Addr(), 16)
			for range 10 {
				load.Goes(t, 50)
				p.Reload()
			}
			p.WaitIdle(workers)
			load.Goes(t, 50)
			load.MustBeWhole(t)
		})
	}
}

// They go to the workers of the new master in an upgrade, and on in its reloads.
func TestHandOverInUpgrades(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "count", server.Quick(2))
	load := e2etest.NewLoad()
	counters(t, load, p.Addr(), 8)
	for range 3 {
		load.Goes(t, 50)
		old := p.Children()
		p.Upgrade()
		e2etest.WaitFor(t, "the end of the old workers", func() bool { return !e2etest.Alive(old[0]) && !e2etest.Alive(old[1]) })
		load.Goes(t, 50)
		p.Reload()
	}
	load.Goes(t, 50)
	load.MustBeWhole(t)
}

// They go to another slot where there is no successor.
func TestHandOverInScaleDown(t *testing.T) {
	p := e2etest.Start(t, "count", server.Quick(3))
	load := e2etest.NewLoad()
	counters(t, load, p.Addr(), 12)
	for left := 2; left > 0; left-- {
		load.Goes(t, 50)
		p.Signal(syscall.SIGTTOU)
		p.WaitChildren(left)
	}
	load.Goes(t, 50)
	load.MustBeWhole(t)
}

// They go back in a roll-back.
func TestHandOverInRollBack(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "count-dies-second", master.Config{Workers: 2, MinUptime: 2 * time.Second})
	load := e2etest.NewLoad()
	counters(t, load, p.Addr(), 12)
	load.Goes(t, 50)
	p.Signal(syscall.SIGHUP)
	p.WaitLog(e2etest.ReloadFailed, 1)
	p.WaitIdle(2)
	load.Goes(t, 50)
	load.MustBeWhole(t)
}

// A receiver that doesn't answer gets none: the program goes on with its connection, and tries
// again, until the grace ends or there is another receiver.
func TestHandOverToStoppedReceiver(t *testing.T) {
	t.Parallel()
	p := e2etest.Start(t, "count", server.Quick(2))
	load := e2etest.NewLoad()
	counters(t, load, p.Addr(), 8)
	load.Goes(t, 100)
	c, n, leaves := inLastSlot(t, p)
	workers := p.Children()
	stays := workers[0] + workers[1] - leaves
	e2etest.StandStill(t, stays)
	p.Signal(syscall.SIGTTOU) // ends the worker in slot 1, and no successor takes its connections
	p.WaitOutput("no other worker takes the connection", 1)
	fmt.Fprintln(c, "second")
	var generation int
	_, err := fmt.Fscanf(c, "%d generation %d pid %d\n", &n, &generation, &leaves)
	e2etest.NoError(t, err)
	e2etest.NoError(t, syscall.Kill(stays, syscall.SIGCONT))
	load.Goes(t, 200)
	load.MustBeWhole(t)
	if n != 2 {
		t.Errorf("answer %d", n)
	}
}

// inLastSlot returns a connection to the worker in slot 1 of two, its first answer, and that
// worker's pid.
func inLastSlot(t *testing.T, p *e2etest.Process) (c net.Conn, n, pid int) {
	e2etest.WaitFor(t, "a connection to the worker in slot 1", func() bool {
		dialed, err := net.Dial("tcp", p.Addr())
		e2etest.NoError(t, err)
		t.Cleanup(func() { dialed.Close() })
		c = dialed
		fmt.Fprintln(c, "first")
		var generation int
		_, err = fmt.Fscanf(c, "%d generation %d pid %d\n", &n, &generation, &pid)
		e2etest.NoError(t, err)
		return p.LoggedTogether(e2etest.WorkerReady, e2etest.Line(fmt.Sprintf("pid=%d slot=1 ", pid)))
	})
	return c, n, pid
}
