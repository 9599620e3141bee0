package link

import (
	"fmt"
	"io"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// receiver is a link's way in. All of it belongs to the goroutine that calls
// Receive.
type receiver struct {
	dec wire.Decoder
	fds []*descriptor.FD // came, and wait for their frame
	err error            // why nothing more comes
	oob []byte

	call   recvCall
	lively bool // the last frames came soon after they were waited for
	alone  bool // one goroutine runs at a time in this process
}

// Receive waits for the next frames and returns all that came at once. The
// descriptors in them are the caller's. io.EOF is the death of the other side or
// its Close; any other error means that it doesn't speak our language, that it died
// in the middle of a frame (wire.ErrTruncated), or that this side has closed. After
// an error the caller calls Close.
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
	if err := in.await(l.raw); err != nil {
		return l.ended(fmt.Errorf("%w: %w", ErrClosed, err))
	}
	n, fds, err := in.call.n, in.call.fds, in.call.err
	in.fds = append(in.fds, fds...)
	switch {
	case isReset(err), err == nil && n == 0:
		return in.eof()
	case err != nil:
		return err
	}
	in.dec.Filled(n, len(fds))
	return nil
}

func (in *receiver) eof() error {
	if err := in.dec.End(); err != nil {
		return err
	}
	return io.EOF
}

// cut takes the whole frames out of what was read. With an error come those that
// were before it.
func (in *receiver) cut() (packets []Packet, err error) {
	for {
		f, ok, err := in.dec.Next()
		if err != nil || !ok {
			return packets, err
		}
		p := Packet{Frame: f, Files: in.claim(f.FDs)}
		if !f.Type.Known() {
			p.Close() // a newer peer's: skipped
			continue
		}
		packets = append(packets, p)
	}
}

// claim returns the first n descriptors that came.
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

// CloseReceived closes descriptors that came and wait for their frame. Only the
// goroutine that called Receive may call it, after its last call; a Receive that
// failed has done it.
func (l *Link) CloseReceived() { descriptor.CloseAll(l.in.fds); l.in.fds = nil }
