package delivery

import (
	"sync/atomic"

	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/message"
	"github.com/rota-go/rota/internal/window"
	"github.com/rota-go/rota/internal/wire"
)

// Go collects garbage when the heap has doubled. With messages of megabytes that is several of those that are
// on their way, and as many that have gone.
const (
	large       = 1 << 20  // bytes of a message
	collectEach = 16 << 20 // bytes of large messages
)

// Receiver is the part of a link that a Reader needs.
type Receiver interface {
	Receive() ([]link.Packet, error)
	CloseReceived()
}

// Reader reads the link of a source. It hands packets to the owner of the source, in order.
// Messages bypass the owner when it has handled all packets before them, so that many
// messages don't keep it busy.
type Reader[F any] struct {
	Queue  *Queue[F]
	Source *Source[F]
	Link   Receiver
	// Handle has the owner handle packets, which it owns from then on. It may block.
	// The owner calls done when it has handled them.
	Handle func(packets []link.Packet, done func())
	// Collect collects garbage. It is called each time that large messages of collectEach bytes have come.
	Collect func()

	large  int          // bytes of large messages since Collect
	direct atomic.Bool  // messages may bypass the owner
	failed bool         // the owner's: Each has failed
	behind atomic.Int32 // batches that the owner has not handled yet
	ended  chan error
}

// Read reads until the link is closed, and returns why. It is called once.
func (r *Reader[F]) Read() error {
	r.ended = make(chan error, 1)
	go r.run()
	return <-r.ended
}

// AllowBypass sets whether messages may bypass the owner.
func (r *Reader[F]) AllowBypass(allow bool) { r.direct.Store(allow) }

// run reads until the link is closed, or another goroutine reads on because this one is
// busy with functions of the program.
func (r *Reader[F]) run() {
	h := window.NewHandoff(r.run)
	for {
		packets, err := r.Link.Receive()
		if err != nil {
			r.Link.CloseReceived()
			r.ended <- err
			return
		}
		if !r.deliver(packets, h) {
			return
		}
	}
}

// deliver emits packets if they are all messages that may bypass the owner, and otherwise
// hands them to the owner. It blocks while the source's window is closed, and reports
// whether the caller reads on.
func (r *Reader[F]) deliver(packets []link.Packet, h *window.Handoff) bool {
	size, others := 0, false
	for _, p := range packets {
		if p.Type.IsMessage() {
			size += message.Cost(p) // released when it is handled
		}
		others = others || p.Type != wire.Message
	}
	if size > 0 {
		r.Source.Window.Acquire(size)
		r.count(size)
	}
	if !others && r.direct.Load() && r.behind.Load() == 0 {
		r.Queue.EmitMessages(r.Source, packets, size)
		return !r.Queue.Claim() || h.Do(r.Queue.Deliver)
	}
	r.behind.Add(1)
	r.Handle(packets, func() { r.behind.Add(-1) })
	return true
}

// count counts bytes of messages, which will be garbage soon. Whoever sends many waits for the collector.
func (r *Reader[F]) count(size int) {
	if size < large {
		return
	}
	if r.large += size; r.large >= collectEach {
		r.large = 0
		r.Collect()
	}
}

// Each has handle handle packets, which it owns, except for messages that may bypass the
// owner. If handle fails, Each closes the packets that are left, and all packets of later
// calls, and returns the error, once. The owner of the source calls it.
func (r *Reader[F]) Each(packets []link.Packet, handle func(link.Packet) error) (err error) {
	for len(packets) > 0 && !r.failed {
		if r.direct.Load() {
			packets = r.emitLeading(packets)
		}
		if len(packets) == 0 {
			return nil
		}
		if err = handle(packets[0]); err != nil {
			r.failed = true
			r.AllowBypass(false)
			break
		}
		packets = packets[1:]
	}
	link.ClosePackets(packets)
	return err
}

// emitLeading emits the messages at the beginning of packets, which are read already, and
// returns the other packets.
func (r *Reader[F]) emitLeading(packets []link.Packet) []link.Packet {
	n, size := 0, 0
	for n < len(packets) && packets[n].Type == wire.Message {
		size += message.Cost(packets[n])
		n++
	}
	if n > 0 {
		r.Queue.EmitMessages(r.Source, packets[:n:n], size)
		r.Queue.Start()
	}
	return packets[n:]
}
