// Chat is a chat over websockets whose members stay connected when the server is reloaded: in
// order, and without a lost message.
//
// Each text that a member sends goes to all. When the worker leaves, it stops reading, so that
// every member has all that was said here, and then hands the members over to its
// successor, with their names, what they have said and heard, and what was read of their next frame. There,
// a member that comes late gets what others have said meanwhile, wherever that was.
//
//	go run . &
//	kill -HUP <the master's pid, from its first log line>
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"strings"

	"github.com/gobwas/ws"
	"github.com/rota-go/rota"
	"github.com/rota-go/rota/ipc"
	"github.com/rota-go/rota/worker"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to serve on")
	flag.Parse()
	r := newRoom()
	if self := worker.Self(); self != nil { // before Listen: members come as soon as this worker accepts
		self.OnHandOver(r.takeUp)
		go r.leave(self)
	}
	lc := rota.ListenConfig{Opaque: true} // websockets from the first request on
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
		go r.welcome(c)
	}
}

// welcome makes a member of a new client, whose name is the path that it asks for.
func (r *room) welcome(c net.Conn) {
	m := &member{conn: c}
	u := ws.Upgrader{OnRequest: func(uri []byte) error {
		m.Name = strings.TrimPrefix(string(uri), "/")
		return nil
	}}
	if _, err := u.Upgrade(c); err != nil {
		_ = c.Close() // Upgrade has answered
		return
	}
	r.join(m)
}

// takeUp makes a member of a connection that the worker before has handed over.
func (r *room) takeUp(c net.Conn, msg ipc.Message) {
	m := &member{conn: c}
	if err := msg.Decode(m); err != nil {
		log.Print(err)
		_ = c.Close() // it is of no use
		return
	}
	r.join(m)
}
