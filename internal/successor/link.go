package successor

import (
	"context"
	"time"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// flushTimeout bounds how long Close waits for the other master to read what was sent.
const flushTimeout = time.Second

// Link is the link between an old master and a new one.
type Link struct{ link *link.Link }

// NewLink returns a Link on l, which it takes.
func NewLink(l *link.Link) *Link { return &Link{l} }

// Send sends m and files, and takes files. It doesn't block, and reports no error: when
// the link has ended, Read returns.
func (l *Link) Send(m *Message, files ...*descriptor.FD) {
	_ = l.link.Send(wire.Frame{Type: wire.Message, Body: wire.Body(m)}, files...)
}

// Read calls receive with each message until the link ends, and returns why it ended. The
// files are receive's to close.
func (l *Link) Read(receive func(*Message, []*descriptor.FD)) error {
	defer l.link.CloseReceived()
	for {
		packets, err := l.link.Receive()
		if err != nil {
			return err
		}
		if err := deliver(packets, receive); err != nil {
			return err
		}
	}
}

// deliver calls receive with each packet's message. At one that can't be decoded it closes
// the files of the rest and returns the error.
func deliver(packets []link.Packet, receive func(*Message, []*descriptor.FD)) error {
	for i, p := range packets {
		m := &Message{}
		if err := p.Decode(m); err != nil {
			for _, rest := range packets[i:] {
				rest.Close()
			}
			return err
		}
		receive(m, p.Files)
	}
	return nil
}

// Close delivers what was sent, for at most a second, and closes the link.
func (l *Link) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	_ = l.link.Flush(ctx)
	_ = l.link.Close()
}

// Abort closes the link without delivering what was sent.
func (l *Link) Abort() { _ = l.link.Close() }
