package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
)

// AnswerTimeout is how long a Sender waits for an answer.
const AnswerTimeout = time.Second

// checked is how much of a state, in bytes, a receiver on a busy machine checks in a second.
const checked = 2 << 20

// Item is a connection to hand over.
type Item struct {
	Cookie uint64        // of the socket that it was accepted from, see Cookie
	Conn   Held          // the connection; its owner keeps it until Offer has returned
	Rest   time.Duration // how long its program would wait for the next request; 0: it sets no time
	Used   bool          // its client has had an answer just now: the next request is expected soon
}

// Held is a connection whose descriptor stays open while the function of Control runs: a
// syscall.RawConn, for example.
type Held interface {
	Control(f func(fd uintptr)) error
}

// Sender is the leaving worker's end of a pair. One goroutine calls its methods, that of a
// Mover.
type Sender struct {
	pair   *net.UnixConn
	closed error // nil while offers are possible
}

// NewSender returns a Sender for one end of a pair. It owns fd, also when it fails.
func NewSender(fd *descriptor.FD) (*Sender, error) {
	pair, err := fd.UnixConn()
	if err != nil {
		return nil, err
	}
	return &Sender{pair: pair}, nil
}

// Offer offers up to MaxBatch connections, and returns which of them the receiver has taken.
// It blocks for AnswerTimeout at most. After an error no later offer is possible; some may
// have been taken then too.
func (s *Sender) Offer(items []Item) (taken []bool, err error) {
	taken = make([]bool, len(items))
	if s.closed != nil {
		return taken, s.closed
	}
	s.bound()
	var o offer
	if err := s.send(items, &o); errors.Is(err, syscall.ETOOMANYREFS) || len(o.fds) == 0 {
		return taken, nil // too many descriptors of this user are on their way
	} else if err != nil {
		s.closeFor(err)
		return taken, err
	}
	answer, err := s.await(len(o.fds))
	for k, t := range answer {
		taken[o.items[k]] = t
	}
	return taken, err
}

// await returns the answer to an offer of n connections. After an error no later offer is
// possible.
func (s *Sender) await(n int) (taken []bool, err error) {
	taken, err = s.answer(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		taken = s.lastAnswer(n)
	}
	if err != nil {
		s.closeFor(err)
	}
	return taken, err
}

// HandOver hands over a connection with its state, at most MaxState bytes. The error is nil if the
// receiver has taken it. HandOver blocks for AnswerTimeout at most when the receiver doesn't read, and
// for a second more for each 2 MB of state when it has read all and doesn't answer.
func (s *Sender) HandOver(i Item, state []byte) error {
	if s.closed != nil {
		return fmt.Errorf("%w: %w", ErrNoReceiver, s.closed)
	}
	err := s.sendHand(i, state)
	if errors.Is(err, syscall.ETOOMANYREFS) || errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%w: %w", ErrNoReceiver, err) // nothing was sent
	}
	if err != nil {
		s.closeFor(err)
		return fmt.Errorf("%w: %w", ErrNoReceiver, err)
	}
	switch taken, err := s.await(1); {
	case len(taken) == 1 && taken[0]:
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoReceiver, err)
	}
	return fmt.Errorf("%w: it refuses it", ErrNoReceiver)
}

// sendHand sends the messages of a hand-over.
func (s *Sender) sendHand(i Item, state []byte) (err error) {
	message, rest := appendHand(nil, i.Cookie, state)
	s.bound()
	gone := i.Conn.Control(func(fd uintptr) {
		_, _, err = s.pair.WriteMsgUnix(message, rights([]int{int(fd)}), nil)
	})
	if gone != nil {
		return gone
	}
	for err == nil && len(rest) > 0 {
		message, rest = appendMore(message[:0], rest)
		s.bound()
		_, err = s.pair.Write(message)
	}
	s.boundAfter(len(state))
	return err
}

// bound bounds what is sent or read next.
func (s *Sender) bound() { s.boundAfter(0) }

// boundAfter bounds the wait for the answer to a state of that size, which the receiver checks first.
func (s *Sender) boundAfter(size int) {
	_ = s.pair.SetDeadline(time.Now().Add(AnswerTimeout + time.Duration(size)*time.Second/checked))
}

// offer is what is sent of the items of an Offer: those that are still open.
type offer struct {
	facts []facts
	fds   []int
	items []int // their indices
}

// send sends an offer. The descriptors stay valid until it has been sent, also of
// connections that are closed meanwhile.
func (s *Sender) send(items []Item, o *offer) error {
	return o.hold(items, 0, func() error {
		if len(o.fds) == 0 {
			return nil
		}
		_, _, err := s.pair.WriteMsgUnix(appendOffer(nil, o.facts), rights(o.fds), nil)
		return err
	})
}

// hold adds items, from index i on, and calls f while their descriptors are held.
func (o *offer) hold(items []Item, i int, f func() error) (err error) {
	if i == len(items) {
		return f()
	}
	gone := items[i].Conn.Control(func(fd uintptr) {
		o.facts, o.fds, o.items = append(o.facts, factsOf(items[i])), append(o.fds, int(fd)), append(o.items, i)
		err = o.hold(items, i+1, f)
	})
	if gone != nil { // it has been closed
		return o.hold(items, i+1, f)
	}
	return err
}

// answer reads the answer to an offer of n connections.
func (s *Sender) answer(n int) (taken []bool, err error) {
	var b [answerSize]byte
	k, err := s.pair.Read(b[:])
	if err == nil && k == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	return parseAnswer(b[:k], n)
}

// lastAnswer returns the answer that was sent since the time was over, or nil. No answer
// can be sent after it has returned.
func (s *Sender) lastAnswer(n int) (taken []bool) {
	_ = s.pair.CloseRead()
	s.bound()
	taken, _ = s.answer(n)
	return taken
}

func (s *Sender) closeFor(err error) {
	s.closed = err
	_ = s.pair.Close() // nothing is sent that could be lost
}

// Close ends the hand-over, and closes the pair.
func (s *Sender) Close() {
	if s.closed == nil {
		s.closeFor(net.ErrClosed)
	}
}
