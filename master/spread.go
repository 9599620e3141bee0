package master

import (
	"fmt"

	"github.com/rota-go/rota/internal/bind"
)

// Spread says how the connections of one address are spread over the workers. The zero value
// leaves the choice to the master: SpreadSlots for TCP where there is more than one worker, and
// SpreadShared for everything else. docs/sockets.md says what each costs, and how evenly it
// spreads. As text it is "auto", "shared" or "slots".
type Spread int

const (
	// SpreadShared is one queue, from which all workers accept. A busy worker takes fewer
	// connections; but the kernel wakes several workers for one connection, and one of them
	// may get most of the connections that stay open.
	SpreadShared Spread = bind.Shared
	// SpreadSlots is a queue for each slot (SO_REUSEPORT), all of which the master owns: the
	// kernel chooses one for each new connection by a hash of its addresses. A worker's
	// successor gets the queue of its slot, so that a reload changes nothing. If a worker
	// doesn't accept, because it has crashed, was stopped or hangs, others accept the
	// connections in its queue within about 50 ms. For UDP, the datagrams of one client come to
	// one slot. The sockets besides the first are never MPTCP sockets.
	SpreadSlots Spread = bind.Slots
)

var spreads = [...]string{"auto", "shared", "slots"}

func (s Spread) String() string {
	if s < 0 || int(s) >= len(spreads) {
		return fmt.Sprintf("Spread(%d)", int(s))
	}
	return spreads[s]
}

// MarshalText returns s as text.
func (s Spread) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of MarshalText. The error is a *ConfigError.
func (s *Spread) UnmarshalText(text []byte) error {
	for i, name := range spreads {
		if string(text) == name {
			*s = Spread(i)
			return nil
		}
	}
	return &ConfigError{Field: "Spread", Value: string(text), Want: "auto, shared or slots"}
}
