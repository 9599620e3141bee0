package wire

import "fmt"

const (
	firstRead = 4 << 10
	keepIdle  = 64 << 10 // a larger buffer is given back once it is empty
)

// Decoder cuts a stream into frames. Use it in turns: read into [Decoder.Space],
// say how much came with [Decoder.Filled], take frames with [Decoder.Next] until
// there is none. The zero value is ready. Its memory follows what has come, and never
// what a header announces: it is at most a few kilobytes more than twice that.
type Decoder struct {
	buf  []byte // buf[r:w] has come and is not yet cut
	r, w int
	fds  int // descriptors that came and that no frame has claimed yet
}

// Space returns where the next bytes go; it is never empty.
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
		d.buf = append(d.buf, make([]byte, max(firstRead, len(d.buf)))...)
	}
	return d.buf[d.w:]
}

// Rest is for a reader that is about to wait, maybe for long: a large buffer with
// nothing in it is given back.
func (d *Decoder) Rest() {
	if d.r == d.w && len(d.buf) > firstRead {
		d.buf, d.r, d.w = nil, 0, 0
	}
}

// Filled says that n bytes were read into Space, and that fds descriptors came
// with them.
func (d *Decoder) Filled(n, fds int) { d.w += n; d.fds += fds }

// Next returns the next whole frame. ok is false when more bytes are needed. After
// an error the stream is lost.
func (d *Decoder) Next() (f Frame, ok bool, err error) {
	if err := greet(d.buf[d.r:d.w]); err != nil {
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
	body := d.buf[d.r+HeaderSize : d.r+HeaderSize+size]
	f.Body = append([]byte(nil), body...)
	d.r += HeaderSize + size
	d.fds -= f.FDs
	return f, true, nil
}

// unclaimed is an error if more descriptors wait than the frame that is still
// on its way will take: a read never runs past a frame that carried some.
func (d *Decoder) unclaimed(by int) error {
	if d.w > d.r && d.w-d.r < HeaderSize {
		by = MaxFDs // its count is still unknown
	}
	if d.fds > by {
		return fmt.Errorf("%w: %d came that no frame announces", ErrDescriptors, d.fds-by)
	}
	return nil
}

// End says whether the stream may end here: nil between two frames.
func (d *Decoder) End() error {
	if d.w > d.r {
		return fmt.Errorf("%w: %d bytes of it came", ErrTruncated, d.w-d.r)
	}
	return nil
}
