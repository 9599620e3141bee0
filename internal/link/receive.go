package link

import (
	"fmt"
	"io"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// receiver is the receiving half of a link. Only the goroutine that calls Receive uses it.
type receiver struct {
	discard *descriptor.Discarder // the link's

	dec wire.Decoder
	fds []*descriptor.FD // have come, and wait for their frame; owned
	err error            // why nothing more comes
	oob []byte

	call      recvCall
	busy      bool // the last frames came soon after the call for them
	singleCPU bool // one goroutine runs at a time in this process
}

// Receive waits for the next frames and returns all that have come. The descriptors in
// them are the caller's. The error is io.EOF when the other side has closed the link or is
// dead, wire.ErrTruncated when it died in the middle of a frame, another error of package
// wire when it doesn't follow the protocol, and ErrClosed when this side has closed the
// link. After an error the caller calls Close. While more than about
// descriptor.MaxDiscarded of the descriptors that came can't be closed, nothing is read.
func (l *Link) Receive() (packets []Packet, err error) {
	in := &l.in
	for in.err == nil && len(packets) == 0 {
		if in.err = l.fill(); in.err == nil {
			packets, in.err = in.cut()
		}
	}
	if len(packets) > 0 {
		return packets, nil
	}
	l.CloseReceived()
	return nil, in.err
}

// fill reads once.
func (l *Link) fill() error {
	in := &l.in
	l.discard.Room(l.done)
	if err := l.await(); err != nil {
		return l.closeReason(fmt.Errorf("%w: %w", ErrClosed, err))
	}
	n, fds, err := in.call.n, in.call.fds, in.call.err
	in.fds = append(in.fds, fds...) // some also with an error, for CloseReceived
	switch {
	case isReset(err), err == nil && n == 0:
		return in.eof()
	case err != nil:
		return err
	}
	in.dec.Filled(n, len(fds))
	return nil
}

// await waits for something to read.
func (l *Link) await() error {
	if err := l.use(); err != nil {
		return err
	}
	defer l.users.Done()
	return l.in.await(l.raw)
}

func (in *receiver) eof() error {
	if err := in.dec.End(); err != nil {
		return err
	}
	return io.EOF
}

// cut returns the whole frames of what was read. With an error it returns the frames before
// the error.
func (in *receiver) cut() (packets []Packet, err error) {
	for {
		f, ok, err := in.dec.Next()
		if err != nil || !ok {
			return packets, err
		}
		p := Packet{Frame: f, Files: in.claim(f.FDs), discard: in.discard}
		if !f.Type.Known() {
			p.Close() // of a later version: skipped
			continue
		}
		packets = append(packets, p)
	}
}

// claim returns the first n of the descriptors that have come.
func (in *receiver) claim(n int) []*descriptor.FD {
	if n == 0 {
		return nil
	}
	files := in.fds[:n:n]
	if in.fds = in.fds[n:]; len(in.fds) == 0 {
		in.fds = nil
	}
	return files
}

// CloseReceived closes descriptors that have come and wait for their frame. Only the
// goroutine that called Receive may call it, after its last call. A Receive that fails
// calls it.
func (l *Link) CloseReceived() { l.discard.Discard(l.in.fds); l.in.fds = nil }
