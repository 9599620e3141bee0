package conn

import (
	"fmt"
	"strings"

	"github.com/rota-go/rota/internal/http1"
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

// Kind returns what the connection is.
func (t *Tracked) Kind() Kind {
	switch t.http.Opening() {
	case http1.NotOpened:
		return Silent
	case http1.TLSHandshake:
		return TLS
	case http1.HTTP2Preface:
		return HTTP2
	case http1.Stranger:
		return Other
	}
	switch {
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
