// Resp is a small server of the Redis protocol whose clients stay connected when it is
// reloaded: PING, SET, GET and INCR, in pipelines.
//
// The keys belong to the connection, and go to the next worker with it, as does what was read of the
// next command. Keys that connections share belong outside of the workers.
//
//	go run . &
//	redis-cli -p 6380 incr n
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"os"
	"time"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

func main() {
	addr := flag.String("addr", "localhost:6380", "address to serve on")
	flag.Parse()
	self := worker.Self()
	if self != nil { // before Listen: connections come as soon as this worker accepts
		self.OnHandOver(takeUp)
	}
	lc := rota.ListenConfig{Opaque: true} // it isn't HTTP
	ln, err := lc.Listen(context.Background(), "tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return // the worker has left
		}
		if err != nil {
			log.Print(err)
			continue
		}
		go new(session).serve(self, c)
	}
}

// session is what the server knows of a connection, and what goes to the next worker with it.
type session struct {
	Keys   map[string]string
	Unread []byte // was read, and is not a whole command yet
}

// takeUp serves a connection that the worker before has handed over.
func takeUp(c net.Conn, m ipc.Message) {
	s := new(session)
	if err := m.Decode(s); err != nil {
		log.Print(err)
		_ = c.Close() // it is of no use
		return
	}
	s.serve(worker.Self(), c)
}

// serve answers commands until the client goes, or another worker has the connection.
func (s *session) serve(self *worker.Worker, c net.Conn) {
	defer c.Close() // does nothing after a hand-over
	served := make(chan struct{})
	defer close(served)
	go interrupt(self, c, served)
	b := make([]byte, 16<<10)
	for {
		out, err := s.answers(nil)
		if _, werr := c.Write(out); err != nil || werr != nil {
			return
		}
		n, err := c.Read(b)
		s.Unread = append(s.Unread, b[:n]...)
		switch {
		case n > 0:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return
		case self.HandOver(c, s) == nil:
			return
		default: // nobody takes it: it stays here for now
			_ = c.SetReadDeadline(time.Now().Add(retry)) // fails if it is closed, and so does Read
		}
	}
}

// retry is how long a connection stays that no other worker takes, until it is offered again.
const retry = 100 * time.Millisecond

// interrupt has c's Read fail when the worker leaves and another one takes connections.
func interrupt(self *worker.Worker, c net.Conn, served <-chan struct{}) {
	if self == nil {
		return // without a master
	}
	select {
	case <-self.CanHandOver():
		_ = c.SetReadDeadline(time.Unix(1, 0)) // fails if it is closed, and so does Read
	case <-served:
	}
}
