package conn

import (
	"bytes"
	"fmt"
	"strings"
)

// Kind is what a connection is, as far as its bytes tell.
type Kind uint32

// The kinds of connections, in the order in which a report lists them.
const (
	Silent   Kind = iota // nothing was read
	HTTP1                // HTTP/1
	Upgraded             // HTTP/1 until an answer has switched the protocol: websockets, CONNECT
	TLS                  // whatever is inside
	HTTP2                // without TLS
	Other                // another protocol, or one that the program handles past Read and Write
)

// String returns the kind as a report names it.
func (k Kind) String() string {
	names := [...]string{"silent", "HTTP/1", "upgraded", "TLS", "HTTP/2", "of another protocol"}
	if int(k) < len(names) {
		return names[k]
	}
	return "invalid"
}

// beginsAs returns the kind of a connection whose client sends p first.
func beginsAs(p []byte) Kind {
	switch {
	case len(p) > 1 && p[0] == 0x16 && p[1] == 3: // a record of a handshake
		return TLS
	case bytes.HasPrefix(p, []byte("PRI * HTTP/2")):
		return HTTP2
	case beginsWithMethod(p):
		return HTTP1
	}
	return Other
}

// beginsWithMethod reports whether p may be the beginning of a request of HTTP/1: capital
// letters, and a space if p is that long.
func beginsWithMethod(p []byte) bool {
	for i, b := range p {
		if b < 'A' || b > 'Z' {
			return b == ' ' && i > 0
		}
	}
	return true
}

// Kind returns what the connection is.
func (t *Tracked) Kind() Kind {
	begins := Kind(t.begins.Load())
	switch {
	case begins != HTTP1:
		return begins
	case t.http.Tunnel():
		return Upgraded
	case t.http.Untracked():
		return Other
	}
	return HTTP1
}

// Kinds is how many connections of each kind there are.
type Kinds map[Kind]int

// KindsOf counts connections.
func KindsOf(all []*Tracked) Kinds {
	c := Kinds{}
	for _, t := range all {
		c[t.Kind()]++
	}
	return c
}

// Len returns how many connections there are.
func (c Kinds) Len() (n int) {
	for _, of := range c {
		n += of
	}
	return n
}

// String lists the kinds, as "2 TLS, 1 upgraded".
func (c Kinds) String() string {
	var parts []string
	for k := Silent; k <= Other; k++ {
		if c[k] > 0 {
			parts = append(parts, fmt.Sprint(c[k], " ", k))
		}
	}
	return strings.Join(parts, ", ")
}
