package main

import (
	"errors"
	"log"
	"os"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/rota-go/rota/worker"
)

// keepFor is how long after its start a worker keeps what is said, for members that are still
// on their way from the worker before.
const keepFor = 10 * time.Second

// room is the members of this process.
type room struct {
	started time.Time
	readers sync.WaitGroup // goroutines that read from members

	mu      sync.Mutex
	members map[*member]bool
	said    []byte         // frames, since the start
	leaving *worker.Worker // nil: members stay here
}

func newRoom() *room { return &room{started: time.Now(), members: map[*member]bool{}} }

// say sends a text to all members. One that doesn't take it is dropped.
func (r *room) say(text string) {
	frame := ws.MustCompileFrame(ws.NewTextFrame([]byte(text)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.started) < keepFor {
		r.said = append(r.said, frame...)
	} else {
		r.said = nil
	}
	for m := range r.members {
		if m.write(frame) != nil {
			_ = m.conn.Close() // its reader ends, and drops it
		}
	}
}

// join adds a member, which gets what it has missed. In a worker that leaves, it goes on at once.
func (r *room) join(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := m.write(r.said); err != nil {
		_ = m.conn.Close() // it doesn't read
		return
	}
	if r.leaving != nil {
		handOver(r.leaving, m)
		return
	}
	r.members[m] = true
	r.readers.Add(1)
	go r.listen(m)
}

// listen says what a member says, until it goes or the worker leaves.
func (r *room) listen(m *member) {
	defer r.readers.Done()
	for {
		f, err := m.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return // the worker leaves
		}
		if err != nil || !r.handle(m, f) {
			r.drop(m)
			return
		}
	}
}

// handle handles a frame, and reports whether the member stays.
func (r *room) handle(m *member, f ws.Frame) bool {
	switch f.Header.OpCode {
	case ws.OpText:
		r.say(m.Name + ": " + string(f.Payload))
		return true
	case ws.OpPing:
		return m.write(ws.MustCompileFrame(ws.NewPongFrame(f.Payload))) == nil
	case ws.OpClose:
		_ = m.write(ws.MustCompileFrame(ws.NewCloseFrame(f.Payload))) // it may be gone
		return false
	}
	return f.Header.OpCode == ws.OpPong
}

func (r *room) drop(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, m)
	_ = m.conn.Close() // say may have closed it
}

// leave hands all members over when the worker leaves.
func (r *room) leave(self *worker.Worker) {
	<-self.CanHandOver()
	r.mu.Lock()
	r.leaving = self
	for m := range r.members {
		_ = m.conn.SetReadDeadline(time.Unix(1, 0)) // fails if it is closed, and so does Read
	}
	r.mu.Unlock()
	r.readers.Wait() // nothing more is said here: all members have heard the same
	for m := range r.members {
		handOver(self, m)
	}
}

// restart tells a client to connect again.
var restart = ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(1012, "the server reloads")))

// handOver gives a member to the next worker. One that it doesn't take has to connect again.
func handOver(self *worker.Worker, m *member) {
	if err := self.HandOver(m.conn, m); err != nil {
		log.Print(err)
		_ = m.write(restart)
		_ = m.conn.Close() // nothing else can be done
	}
}
