package rotahttp

// frameTracker follows the HTTP/2 frames (RFC 9113, section 4.1) that a server or its client
// writes, to find where another frame may be inserted. The zero value is for a connection on
// which nothing has been written.
type frameTracker struct {
	header       [9]byte // of the current frame: length, type, flags and stream
	headerLen    int     // bytes of header written so far; 0 when it is complete
	payloadLeft  int     // bytes of the payload not written yet
	started      bool    // the first frame, SETTINGS, has begun
	notHTTP2     bool    // the first frame is another: nothing may be inserted
	inFieldBlock bool    // the next frame must continue a field block
}

// Frame types and flags (RFC 9113, section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameRSTStream    = 0x3
	frameSettings     = 0x4
	framePushPromise  = 0x5
	framePing         = 0x6
	frameContinuation = 0x9
	flagEndHeaders    = 0x4
)

// atBoundary reports whether a frame of another stream may be written here: between two
// frames, after the SETTINGS that must come first (RFC 9113, section 3.4), and outside a
// field block, which no other frame may interrupt (section 4.3).
func (f *frameTracker) atBoundary() bool {
	return f.headerLen == 0 && f.payloadLeft == 0 && f.started && !f.inFieldBlock && !f.notHTTP2
}

// advance moves past p, which has been written.
func (f *frameTracker) advance(p []byte) {
	for len(p) > 0 {
		p = p[f.step(p):]
	}
}

// advanceToBoundary moves past p up to the first boundary, and returns how many bytes
// that is: len(p) if there is none.
func (f *frameTracker) advanceToBoundary(p []byte) (n int) {
	for n < len(p) {
		n += f.step(p[n:])
		if f.atBoundary() {
			break
		}
	}
	return n
}

// step moves past the bytes of p that belong to one frame header or one payload, and
// returns how many they are.
func (f *frameTracker) step(p []byte) int {
	if f.payloadLeft > 0 {
		n := min(f.payloadLeft, len(p))
		f.payloadLeft -= n
		return n
	}
	n := copy(f.header[f.headerLen:], p)
	if f.headerLen += n; f.headerLen == len(f.header) {
		f.parseHeader()
	}
	return n
}

// parseHeader reads a complete frame header.
func (f *frameTracker) parseHeader() {
	if !f.started {
		f.notHTTP2 = f.header[3] != frameSettings
	}
	f.headerLen, f.started = 0, true
	f.payloadLeft = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
	switch f.header[3] {
	case frameHeaders, framePushPromise, frameContinuation:
		f.inFieldBlock = f.header[4]&flagEndHeaders == 0
	}
}
