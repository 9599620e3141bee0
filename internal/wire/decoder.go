package wire

import "fmt"

const (
	firstRead = 4 << 10
	keepIdle  = 64 << 10 // a larger buffer is freed when it is empty
	trusted   = 1 << 20  // so much of a frame has come that the rest will
)

// Decoder splits a stream into frames: read into [Decoder.Space], report how many bytes
// came with [Decoder.Filled], and call [Decoder.Next] until it returns no frame. The zero
// value is ready to use. The buffer grows with the bytes that have come, not with the length
// that a header announces: it is at most twice their number plus a few kilobytes, until a megabyte of
// a frame has come.
type Decoder struct {
	buf  []byte // buf[r:w] has come and is not part of a returned frame
	r, w int
	fds  int // descriptors that have come and belong to no returned frame
}

// Space returns the buffer for the next bytes. It is never empty.
func (d *Decoder) Space() []byte {
	switch {
	case d.r == d.w:
		d.r, d.w = 0, 0
		if len(d.buf) > keepIdle {
			d.buf = nil
		}
	case d.w == len(d.buf) && d.r > 0:
		d.w = copy(d.buf, d.buf[d.r:d.w])
		d.r = 0
	}
	if d.w == len(d.buf) {
		d.grow()
	}
	return d.buf[d.w:]
}

// grow doubles the buffer, but not beyond the end of a large frame that has begun: its body then is
// the buffer, see Next. When trusted bytes of the frame have come, it gets room for all of it: to double until
// then leaves as much garbage.
func (d *Decoder) grow() {
	size := len(d.buf) + max(firstRead, len(d.buf))
	switch end := d.largeEnd(); {
	case end > d.w && d.w-d.r >= trusted:
		size = end
	case end > d.w:
		size = min(size, end)
	}
	buf := make([]byte, size)
	copy(buf, d.buf[:d.w])
	d.buf = buf
}

// largeEnd returns where the frame ends that has begun, if it is large; 0 if it isn't, or not known to be.
func (d *Decoder) largeEnd() int {
	if d.w-d.r < HeaderSize {
		return 0
	}
	_, size, err := parse(d.buf[d.r:d.w])
	if err != nil || size <= keepIdle {
		return 0
	}
	return d.r + HeaderSize + size
}

// Rest is called by a reader that is about to block. It frees a large empty buffer.
func (d *Decoder) Rest() {
	if d.r == d.w && len(d.buf) > firstRead {
		d.buf, d.r, d.w = nil, 0, 0
	}
}

// Filled records that n bytes were read into Space and fds descriptors came with them.
func (d *Decoder) Filled(n, fds int) { d.w += n; d.fds += fds }

// Next returns the next whole frame. ok is false if more bytes are needed. After an error
// the stream can't be decoded any further.
func (d *Decoder) Next() (f Frame, ok bool, err error) {
	if err := checkStart(d.buf[d.r:d.w]); err != nil {
		return f, false, err
	}
	if d.w-d.r < HeaderSize {
		return f, false, d.unclaimed(0)
	}
	f, size, err := parse(d.buf[d.r:d.w])
	if err != nil {
		return f, false, err
	}
	if d.fds < f.FDs {
		return f, false, fmt.Errorf("%w: %v says %d, %d came", ErrDescriptors, f.Type, f.FDs, d.fds)
	}
	if d.w-d.r < HeaderSize+size {
		return f, false, d.unclaimed(f.FDs)
	}
	end := d.r + HeaderSize + size
	f.Body = d.buf[d.r+HeaderSize : end : end]
	if d.fds -= f.FDs; size > keepIdle && end == d.w {
		d.buf, d.r, d.w = nil, 0, 0 // it is the body
		return f, true, nil
	}
	f.Body = append([]byte(nil), f.Body...)
	d.r = end
	return f, true, nil
}

// unclaimed returns an error if more descriptors have come than the frame that is still
// incomplete carries. A read never returns bytes beyond a frame that carries descriptors.
func (d *Decoder) unclaimed(by int) error {
	if d.w > d.r && d.w-d.r < HeaderSize {
		by = MaxFDs // the header is incomplete
	}
	if d.fds > by {
		return fmt.Errorf("%w: %d came that no frame announces", ErrDescriptors, d.fds-by)
	}
	return nil
}

// End returns an error if the stream ends in the middle of a frame.
func (d *Decoder) End() error {
	if d.w > d.r {
		return fmt.Errorf("%w: %d of its bytes have come", ErrTruncated, d.w-d.r)
	}
	return nil
}
