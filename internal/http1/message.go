package http1

import "bytes"

// state is where in a message the next byte belongs.
type state uint8

const (
	atStart      state = iota // before its first byte
	inStart                   // in the request or status line
	inHead                    // in a header line
	inBody                    // left bytes of a body follow
	inSize                    // in a chunk's size line
	inChunk                   // left bytes of a chunk follow
	afterChunk                // in the line end that follows a chunk
	inTrailer                 // in a trailer line
	inEndless                 // a body that ends with the connection
	afterConnect              // a CONNECT has been read: what follows depends on its answer
)

// event is the result of one step of the parser.
type event uint8

const (
	more      event = iota // nothing yet
	startLine              // the start line is in message.current
	headEnd                // the head has ended: call frame
	whole                  // the message has ended
	broken                 // these bytes are no HTTP/1 message
)

// maxPart is the number of bytes of a line that are parsed. Nothing that matters is
// longer, and a split line needs little memory.
const maxPart = 128

// message parses one direction of a connection, one message after the other.
type message struct {
	state   state
	sized   bool // Content-Length was seen
	coded   bool // Transfer-Encoding was seen
	chunked bool // and chunked comes last in it
	old     bool // of HTTP/1.0, which has no Transfer-Encoding
	closes  bool // Connection says close
	keeps   bool // Connection says keep-alive
	status  int  // of an answer
	left    int64
	current []byte // the start line, valid right after event startLine; see takeStartLine
	part    []byte // the beginning of a line that was split
}

// takeStartLine returns the start line and drops the reference to it, because it may be
// the program's memory.
func (m *message) takeStartLine() []byte {
	line := m.current
	m.current = nil
	return line
}

// next takes in the beginning of p, at least one byte, up to the next event.
func (m *message) next(p []byte) (int, event) {
	switch m.state {
	case inHead:
		return m.head(p)
	case inBody, inChunk:
		n := min(int64(len(p)), m.left)
		return int(n), m.skip(n)
	case inEndless:
		return len(p), more
	case afterConnect:
		return len(p), broken
	case atStart:
		m.state, m.left = inStart, 0
		m.sized, m.coded, m.chunked, m.old = false, false, false, false
		m.closes, m.keeps = false, false
	}
	line, n := m.line(p)
	if line == nil {
		return n, more
	}
	return n, m.endLine(line)
}

// endLine takes in a complete line that is not a header line.
func (m *message) endLine(line []byte) event {
	switch m.state {
	case inStart:
		m.state, m.current = inHead, line
		return startLine
	case inSize:
		return m.size(line)
	case afterChunk:
		m.state = inSize
		if !blank(line) {
			return broken
		}
	case inTrailer:
		if blank(line) {
			m.state = atStart
			return whole
		}
	}
	return more
}

// head takes in all header lines of p in one call, because there are many of them.
func (m *message) head(p []byte) (n int, what event) {
	for n < len(p) {
		line, k := m.line(p[n:])
		n += k
		switch {
		case line == nil:
			return n, more
		case blank(line):
			return n, headEnd
		case !m.field(line):
			return n, broken
		}
	}
	return n, more
}

// line returns the first line of p with its line end, and its length. If p has no whole
// line, it keeps p until the rest comes and returns nil. The line is valid until the
// next call.
func (m *message) line(p []byte) (line []byte, n int) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		m.keep(p)
		return nil, len(p)
	}
	line, n = p[:i+1], i+1
	if len(m.part) > 0 {
		m.keep(line)
		line, m.part = m.part, m.part[:0]
	}
	return line[:min(len(line), maxPart)], n
}

// keep appends p to the kept part of a line, up to maxPart bytes. A line of maxPart
// bytes is never a blank one.
func (m *message) keep(p []byte) {
	m.part = append(m.part, p[:min(len(p), maxPart-len(m.part))]...)
}

// skip moves on by n bytes of a body or chunk.
func (m *message) skip(n int64) event {
	m.left -= n
	switch {
	case m.left > 0:
		return more
	case m.state == inChunk:
		m.state = afterChunk
		return more
	}
	m.state = atStart
	return whole
}

// size reads a chunk's size line.
func (m *message) size(line []byte) event {
	n, ok := hex(line)
	switch {
	case !ok:
		return broken
	case n == 0:
		m.state = inTrailer
	default:
		m.state, m.left = inChunk, n
	}
	return more
}

// frame determines, at the end of a head, how the body ends (RFC 9112, section 6.3).
// Without a header field for it, an answer's body ends with the connection, and a
// request has none. Of a request it must be certain. An answer of HTTP/1.0 that is coded
// counts as one that ends with the connection, because clients differ.
func (m *message) frame(answer bool) event {
	switch {
	case m.coded && !answer && (!m.chunked || m.sized || m.old):
		return broken
	case m.chunked && !m.old:
		m.state = inSize
	case m.coded, !m.sized && answer:
		m.state = inEndless
	case m.left > 0:
		m.state = inBody
	default:
		m.state = atStart
		return whole
	}
	return more
}
