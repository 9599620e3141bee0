package rotahttp

import (
	"encoding/binary"
	"strings"
	"sync"
)

// streamTracker follows the frames of an HTTP/2 connection in both directions, to know
// whether a request is open on it.
type streamTracker struct {
	mu       sync.Mutex
	preface  string // what the client still has to send of it
	in, out  frameTracker
	open     map[uint32]bool // requests without a whole answer
	last     uint32          // the highest stream that the client has opened
	activity int             // frames in both directions
	foreign  bool            // it is not HTTP/2, or the client has broken it
}

const flagEndStream = 0x1

// newStreamTracker returns a tracker for a connection on which the client has preface still
// to send. If upgraded is set, the request that asked for the upgrade is stream 1.
func newStreamTracker(preface string, upgraded bool) *streamTracker {
	t := &streamTracker{preface: preface, open: make(map[uint32]bool)}
	if upgraded {
		t.last, t.open[1] = 1, true
	}
	return t
}

// read is called with what was read from the client, and returns what follows the preface in it.
func (t *streamTracker) read(p []byte) (frames []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(p), len(t.preface))
	if !strings.HasPrefix(t.preface, string(p[:n])) {
		t.foreign = true
	}
	t.preface = t.preface[n:]
	p = p[n:]
	t.in.frames(p, func(typ, _ byte, stream uint32) {
		t.activity++
		switch {
		case typ == frameHeaders && stream > t.last:
			t.last, t.open[stream] = stream, true
		case typ == frameRSTStream:
			delete(t.open, stream)
		}
	})
	return p
}

// wrote is called with what was written to the client.
func (t *streamTracker) wrote(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.frames(p, func(typ, flags byte, stream uint32) {
		t.activity++
		ends := (typ == frameHeaders || typ == frameData) && flags&flagEndStream != 0
		if ends || typ == frameRSTStream {
			delete(t.open, stream)
		}
	})
}

// idle reports whether no request is open, and a number that is the same as at the last
// call if no frame was sent since.
func (t *streamTracker) idle() (idle bool, activity int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open) == 0 && t.preface == "" && !t.foreign && !t.in.notHTTP2 && !t.out.notHTTP2, t.activity
}

// frames moves past p and calls found for each frame whose header ends in it.
func (f *frameTracker) frames(p []byte, found func(typ, flags byte, stream uint32)) {
	for len(p) > 0 {
		isHeader := f.payloadLeft == 0
		p = p[f.step(p):]
		if isHeader && f.headerLen == 0 {
			found(f.header[3], f.header[4], binary.BigEndian.Uint32(f.header[5:])&(1<<31-1))
		}
	}
}
