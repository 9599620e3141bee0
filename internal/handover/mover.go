package handover

import (
	"sync"

	"github.com/rota-go/rota/internal/descriptor"
)

// Mover hands over connections that many goroutines give it, in batches. Its methods may
// be called from any goroutine.
type Mover struct {
	sender   *Sender
	requests chan request
	batches  chan batchRequest
	hands    chan handRequest
	closing  chan struct{} // closed by Close
	ended    chan struct{} // closed when no connection can be moved any more
	once     sync.Once
}

// request is a connection that waits to be moved.
type request struct {
	item  Item
	moved chan<- bool // gets one value
}

// batchRequest is connections, MaxBatch at most, that wait to be moved together.
type batchRequest struct {
	items []Item
	moved chan<- []bool // gets one value
}

// handRequest is a connection that waits to be handed over.
type handRequest struct {
	item   Item
	state  []byte
	result chan<- error // gets one value
}

// NewMover returns a Mover for a Sender, which it owns. Close ends it.
func NewMover(s *Sender) *Mover {
	m := &Mover{sender: s, requests: make(chan request), batches: make(chan batchRequest), hands: make(chan handRequest), closing: make(chan struct{}), ended: make(chan struct{})}
	go m.run()
	return m
}

// MoverOf returns a Mover for an end of a pair, which it owns; nil if this process is out of
// descriptors, for example.
func MoverOf(pair *descriptor.FD) *Mover {
	s, err := NewSender(pair)
	if err != nil {
		return nil
	}
	return NewMover(s)
}

// Move reports whether the receiver has taken a connection. The caller keeps it until Move
// returns, and closes its copy if it was taken. Move blocks for AnswerTimeout at most for
// each batch before it.
func (m *Mover) Move(i Item) bool {
	moved := make(chan bool, 1)
	select {
	case m.requests <- request{i, moved}:
		return <-moved
	case <-m.ended:
		return false
	}
}

// MoveAll is Move for many connections.
func (m *Mover) MoveAll(items []Item) (moved []bool) {
	result := make(chan []bool, 1)
	for len(items) > 0 {
		n := min(len(items), MaxBatch)
		select {
		case m.batches <- batchRequest{items[:n], result}:
			moved = append(moved, <-result...)
		case <-m.ended:
			moved = append(moved, make([]bool, n)...)
		}
		items = items[n:]
	}
	return moved
}

// HandOver is Move for a connection with a state; see [Sender.HandOver].
func (m *Mover) HandOver(i Item, state []byte) error {
	result := make(chan error, 1)
	select {
	case m.hands <- handRequest{i, state, result}:
		return <-result
	case <-m.ended:
		return ErrNoReceiver
	}
}

// Ended reports whether no connection can be moved any more.
func (m *Mover) Ended() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

// Close ends the hand-over, and returns when it has ended.
func (m *Mover) Close() {
	m.once.Do(func() { close(m.closing) })
	<-m.ended
}

func (m *Mover) run() {
	defer close(m.ended)
	defer m.sender.Close()
	for m.sender.closed == nil {
		select {
		case first := <-m.requests:
			m.moveBatch(m.batch(first))
		case b := <-m.batches:
			taken, _ := m.sender.Offer(b.items) // an error ends the sender
			b.moved <- taken
		case r := <-m.hands:
			r.result <- m.sender.HandOver(r.item, r.state)
		case <-m.closing:
			return
		}
	}
}

// batch returns first, and those that wait too.
func (m *Mover) batch(first request) []request {
	all := []request{first}
	for len(all) < MaxBatch {
		select {
		case r := <-m.requests:
			all = append(all, r)
		default:
			return all
		}
	}
	return all
}

func (m *Mover) moveBatch(batch []request) {
	items := make([]Item, 0, len(batch))
	for _, r := range batch {
		items = append(items, r.item)
	}
	taken, _ := m.sender.Offer(items) // an error ends the sender
	for i, r := range batch {
		r.moved <- taken[i]
	}
}
