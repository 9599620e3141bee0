package http1

import "bytes"

// Opening is what the first bytes were that the program has read.
type Opening uint32

// The openings. A program that expects something else before the first request, as a header of
// the PROXY protocol, would expect it again on a connection that moves to it.
const (
	NotOpened    Opening = iota // none were read
	RequestLine                 // a line that ends with HTTP/1.x
	PartOfLine                  // less than a line: the Tracker knows whether they begin a request
	TLSHandshake                // a record of TLS
	HTTP2Preface                // HTTP/2 without TLS
	Stranger                    // anything else
)

// openingOf returns what p, which was read first, is.
func openingOf(p []byte) Opening {
	if len(p) > 1 && p[0] == 0x16 && p[1] == 3 {
		return TLSHandshake
	}
	if bytes.HasPrefix(p, []byte("PRI * HTTP/2")) {
		return HTTP2Preface
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		return lineOpening(trim(p[:i+1]))
	}
	if beginsWithMethod(p) {
		return PartOfLine
	}
	return Stranger
}

// lineOpening returns what a connection is whose first line is this one.
func lineOpening(line []byte) Opening {
	n := len(line) - len("HTTP/1.x")
	if n > 0 && isLetter(line[0]) && bytes.HasPrefix(line[n:], prefix) {
		return RequestLine
	}
	return Stranger
}

// beginsWithMethod reports whether p may be the beginning of a request: letters, and a
// space if p is that long.
func beginsWithMethod(p []byte) bool {
	for i, b := range p {
		if !isLetter(b) {
			return b == ' ' && i > 0
		}
	}
	return true
}

// Opening returns what the first bytes were.
func (o *Observer) Opening() Opening { return Opening(o.opening.Load()) }
