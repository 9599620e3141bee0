package http1

import (
	"bytes"
	"math"
)

// prefix is what every HTTP/1 answer begins with.
var prefix = []byte("HTTP/1.")

// field takes in one header line and reports whether the message can still be
// followed. Only Content-Length, Transfer-Encoding and Connection matter.
func (m *message) field(line []byte) bool {
	switch line[0] {
	case 'c', 'C':
		if value, ok := valueOf(line, "content-length"); ok {
			return m.contentLength(value)
		}
		m.connection(line)
		return !unclear(line, "content-length")
	case 't', 'T':
		if value, ok := valueOf(line, "transfer-encoding"); ok {
			return m.transferEncoding(value)
		}
		return !unclear(line, "transfer-encoding")
	case ' ', '\t': // a folded line: obsolete, and it may belong to one of the two
		return false
	}
	return true
}

// valueOf returns the value of a header line, and whether the line has this name, which
// is in lower case.
func valueOf(line []byte, name string) ([]byte, bool) {
	if len(line) <= len(name) || line[len(name)] != ':' || !begins(line, name) {
		return nil, false
	}
	if len(line) == maxPart {
		return nil, true // cut off: its value is unknown, and nil is no valid one
	}
	return trim(line[len(name)+1:]), true
}

// unclear reports whether a reader of the header line may take its name for this one,
// because white space or another byte that no name has follows it.
func unclear(line []byte, name string) bool {
	return begins(line, name) && len(line) > len(name) && !isToken(line[len(name)])
}

// begins reports whether p begins with text, which is in lower case, in any case.
func begins(p []byte, text string) bool {
	if len(p) < len(text) {
		return false
	}
	for i := range len(text) {
		if lower(p[i]) != text[i] {
			return false
		}
	}
	return true
}

// denyKeepAlive returns p, header lines of an answer that has got Line, with "close" in
// the place of the value of each whole line "Connection: keep-alive" up to the end of the
// head: an HTTP/1.0 client may look for nothing else. The result is as long as p, and p
// itself is not changed.
func denyKeepAlive(p []byte) []byte {
	const name, value = "connection", "keep-alive"
	changed := false
	for at := 0; at < len(p) && p[at] != '\r' && p[at] != '\n'; {
		end := at + bytes.IndexByte(p[at:], '\n') + 1
		if end == at {
			break
		}
		if v, ok := valueOf(p[at:end], name); ok && len(v) == len(value) && begins(v, value) {
			if !changed {
				p, changed = bytes.Clone(p), true
			}
			start := at + len(name) + 1 + bytes.Index(p[at+len(name)+1:end], v)
			copy(p[start:], "     close")
		}
		at = end
	}
	return p
}

// trim cuts white space and the line end off both ends.
func trim(p []byte) []byte {
	for len(p) > 0 && isSpace(p[0]) {
		p = p[1:]
	}
	for len(p) > 0 && isSpace(p[len(p)-1]) {
		p = p[:len(p)-1]
	}
	return p
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// contentLength takes in a Content-Length. A second one must be the same.
func (m *message) contentLength(value []byte) bool {
	n, ok := number(value)
	if !ok || m.sized && n != m.left {
		return false
	}
	m.sized, m.left = true, n
	return true
}

// connection takes in a header line that may be the field Connection.
func (m *message) connection(line []byte) {
	value, ok := valueOf(line, "connection")
	if !ok {
		return
	}
	m.closes = m.closes || value == nil
	for more := true; more; {
		var option []byte
		option, value, more = bytes.Cut(value, []byte(","))
		m.closes = m.closes || bytes.EqualFold(trim(option), []byte("close"))
		m.keeps = m.keeps || bytes.EqualFold(trim(option), []byte("keep-alive"))
	}
}

// isLast reports whether the head says that the connection ends after this request and its answer (RFC 9112, section 9.3).
func (m *message) isLast() bool { return m.closes || m.old && !m.keeps }

// transferEncoding takes in a list of codings, of which chunked may only be the last.
func (m *message) transferEncoding(value []byte) bool {
	if value == nil {
		return false
	}
	m.coded = true
	for more := true; more; {
		if m.chunked {
			return false
		}
		var coding []byte
		coding, value, more = bytes.Cut(value, []byte(","))
		m.chunked = bytes.EqualFold(trim(coding), []byte("chunked"))
	}
	return true
}

// number reads a decimal number.
func number(p []byte) (n int64, ok bool) {
	for _, b := range p {
		if b < '0' || b > '9' || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	return n, len(p) > 0
}

// hex reads a chunk's size, which ends at an extension or the line end.
func hex(line []byte) (n int64, ok bool) {
	for i, b := range line {
		digit := int64(-1)
		switch c := lower(b); {
		case c >= '0' && c <= '9':
			digit = int64(c - '0')
		case c >= 'a' && c <= 'f':
			digit = int64(c-'a') + 10
		case c == ';' || isSpace(c):
			return n, i > 0
		}
		if digit < 0 || n >= math.MaxInt64>>4 {
			return 0, false
		}
		n = n<<4 | digit
	}
	return 0, false
}

// status returns the code of a status line, or 0 if line is none.
func status(line []byte) int {
	const form = "HTTP/1.x nnn"
	if len(line) <= len(form) || !bytes.HasPrefix(line, prefix) || line[8] != ' ' {
		return 0
	}
	code, ok := number(line[9:12])
	if end := line[12]; !ok || end != ' ' && end != '\r' && end != '\n' {
		return 0
	}
	return int(code)
}

// couldBe reports whether p may be the beginning of a status line.
func couldBe(p []byte) bool {
	n := min(len(p), len(prefix))
	return bytes.Equal(p[:n], prefix[:n])
}

// blank reports whether the line ends a head.
func blank(line []byte) bool {
	return line[0] == '\n' || len(line) == 2 && line[0] == '\r'
}

// lower maps A to Z to lower case.
func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// isLetter reports whether b can begin a request's method.
func isLetter(b byte) bool { return lower(b) >= 'a' && lower(b) <= 'z' }

// isToken reports whether b may be part of a method or of a header line's name.
func isToken(b byte) bool {
	return isLetter(b) || b >= '0' && b <= '9' || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0
}
