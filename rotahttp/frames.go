package rotahttp

// frames follows the frames of HTTP/2 that a server writes. The zero value is a
// connection on which nothing has been written.
type frames struct {
	head [9]byte
	have int  // of head
	left int  // of the payload
	some bool // the first frame, SETTINGS, has been written
	open bool // a header block goes on in the next frame
}

const (
	frameHeaders      = 0x1
	framePushPromise  = 0x5
	frameContinuation = 0x9
	flagEndHeaders    = 0x4
)

// goAwayFrame lets the client finish every stream, and open no more.
var goAwayFrame = []byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// between reports whether a frame of another stream may be written here.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 && f.some && !f.open }

// skip takes note of p.
func (f *frames) skip(p []byte) {
	for len(p) > 0 {
		p = p[f.step(p):]
	}
}

// next takes note of p up to the first place between frames, and returns how much of
// it that is: all of p if there is none.
func (f *frames) next(p []byte) (n int) {
	for n < len(p) {
		n += f.step(p[n:])
		if f.between() {
			break
		}
	}
	return n
}

// step takes note of what of p belongs to one head or one payload.
func (f *frames) step(p []byte) int {
	if f.left > 0 {
		n := min(f.left, len(p))
		f.left -= n
		return n
	}
	n := copy(f.head[f.have:], p)
	if f.have += n; f.have == len(f.head) {
		f.begin()
	}
	return n
}

// begin takes note of a whole head.
func (f *frames) begin() {
	f.have, f.some = 0, true
	f.left = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
	switch f.head[3] {
	case frameHeaders, framePushPromise, frameContinuation:
		f.open = f.head[4]&flagEndHeaders == 0
	}
}
