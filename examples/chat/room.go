package main

import (
	"crypto/rand"
	"errors"
	"log"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/rota-go/rota/worker"
)

// room is the members of this process.
type room struct {
	readers sync.WaitGroup // goroutines that read from members

	mu      sync.Mutex
	members map[*member]bool
	voices  voices         // of members, and of others that somebody may not have heard yet
	leaving *worker.Worker // nil: members stay here
}

func newRoom() *room { return &room{members: map[*member]bool{}, voices: voices{}} }

// say says a text of a voice to all members.
func (r *room) say(v *voice, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v.add(text, time.Now())
	r.tellAll(v)
}

// tellAll tells all members what they have not been told of a voice. One that doesn't take it is dropped.
func (r *room) tellAll(v *voice) {
	for m := range r.members {
		if m.tell(v) != nil {
			_ = m.conn.Close() // its reader ends, and drops it
		}
	}
}

// join adds a member. It hears what it has missed, and the others what it has said where they were not. In a
// worker that leaves, it goes on at once.
func (r *room) join(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Voice == nil { // a new client
		m.Voice, m.Delivered = &voice{ID: rand.Text()}, r.voices.counts()
		m.Voice.add(m.Name+" joins", time.Now())
	}
	for _, v := range append(m.Gone, m.Voice) {
		r.tellAll(r.voices.learn(v))
	}
	m.Voice, m.Gone = r.voices[m.Voice.ID], nil
	if err := m.tell(slices.Collect(maps.Values(r.voices))...); err != nil {
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
		r.say(m.Voice, m.Name+": "+string(f.Payload))
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
	r.forget()
	_ = m.conn.Close() // say may have closed it
}

// forget forgets what all have heard, and returns the voices of members that have gone, which somebody may not have heard.
func (r *room) forget() (gone []*voice) {
	here := map[*voice]bool{}
	for m := range r.members {
		here[m.Voice] = true
	}
	for id, v := range r.voices {
		v.forget(time.Now())
		switch {
		case here[v]:
		case len(v.Recent) > 0:
			gone = append(gone, v)
		default:
			r.forgetVoice(id)
		}
	}
	return gone
}

func (r *room) forgetVoice(id string) {
	delete(r.voices, id)
	for m := range r.members {
		delete(m.Delivered, id)
	}
}

// stop stops reading. Afterwards nothing more is said here.
func (r *room) stop(self *worker.Worker) {
	r.mu.Lock()
	r.leaving = self
	for m := range r.members {
		_ = m.conn.SetReadDeadline(time.Unix(1, 0)) // fails if it is closed, and so does Read
	}
	r.mu.Unlock()
	r.readers.Wait()
}

// leave hands all members over when the worker leaves.
func (r *room) leave(self *worker.Worker) {
	<-self.CanHandOver()
	r.stop(self)
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := r.forget()
	for m := range r.members {
		m.Gone, gone = gone, nil // with the first
		delete(r.members, m)
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
