package successor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rota-go/rota/internal/process"
	"github.com/rota-go/rota/internal/wire"
	"github.com/rota-go/rota/reload"
	"github.com/rota-go/rota/status"
)

// Version is the version of the protocol between two masters. A later version adds
// kinds and fields; a reader ignores those that it doesn't know.
const Version = 1

// Kind says what a Message means.
type Kind string

// The kinds, in the order in which they are sent. The comments name the sender.
const (
	Hello   Kind = "hello"   // new master: it is running
	Given   Kind = "given"   // old master: a socket that a supervisor passed, with its descriptor
	Socket  Kind = "socket"  // both, the new master after Want: a socket of its table, with its descriptor
	Release Kind = "release" // old master: the executable that its workers run, and then the one before, to roll back to
	Lease   Kind = "lease"   // old master: the end of a pipe that tells when its workers have no lease any more
	State   Kind = "state"   // old master: its snapshot; the new master starts its workers
	Ready   Kind = "ready"   // new master: its workers are ready
	Failed  Kind = "failed"  // new master: it can't take over, and is going to exit
	Go      Kind = "go"      // old master: the new master is to take over
	Late    Kind = "late"    // old master: what it was asked for after Go
	Ask     Kind = "ask"     // new master, any time: the end of a pipe, to which the worker of a slot writes what it leaves
	Want    Kind = "want"    // old master, until Go: the new one is to send its sockets, as Socket
	Pair    Kind = "pair"    // old master: the end of a pair over which connections of one of its workers move
	Shared  Kind = "shared"  // old master: a file that its workers share, with its descriptor; never after State, unless it is new
	Signal  Kind = "signal"  // old master: its workers are sent a signal, and those of the new one are to get it too
	Stop    Kind = "stop"    // old master: the new master is to exit
)

// Message is what one master sends to the other. Its body is JSON.
type Message struct {
	Kind       Kind            `json:"kind"`
	Version    int             `json:"version,omitempty"`    // Hello
	PID        int             `json:"pid,omitempty"`        // Hello
	Given      json.RawMessage `json:"given,omitempty"`      // Given: owned by the sockets' code
	Socket     json.RawMessage `json:"socket,omitempty"`     // Socket: owned by the sockets' code
	State      *Snapshot       `json:"state,omitempty"`      // State, Go, Late
	Slot       int             `json:"slot,omitempty"`       // Ask, Pair: of the worker
	Name       string          `json:"name,omitempty"`       // Shared: of the file
	Spare      bool            `json:"spare,omitempty"`      // Shared: closed with the workers that have asked for it
	Generation int             `json:"generation,omitempty"` // Release: that has run it
	Reason     string          `json:"reason,omitempty"`     // Failed: the text of the error
	Signal     int             `json:"signal,omitempty"`     // Signal: its number
	AtOnce     bool            `json:"atOnce,omitempty"`     // Stop: kill the workers
	Failed     bool            `json:"failed,omitempty"`     // Stop: because the attempt has failed; no reason once the new master takes over
	Is         []string        `json:"is,omitempty"`         // Failed: the known errors that Reason stands for
}

// Snapshot is what a master knows besides its sockets.
type Snapshot struct {
	Workers    int              `json:"workers"`
	Scaled     bool             `json:"scaled,omitempty"` // Workers was set by Scale, not by the configuration
	Generation int              `json:"generation"`
	LastID     int              `json:"lastID"`             // the last worker id that was used
	Served     map[int][]string `json:"served,omitempty"`   // by slot: the names of the sockets that it served
	Needed     Times            `json:"needed,omitempty"`   // how long these took
	Ports      json.RawMessage  `json:"ports,omitempty"`    // owned by the sockets' code
	Reload     bool             `json:"reload,omitempty"`   // a reload waits
	Trial      *reload.Trial    `json:"trial,omitempty"`    // of that reload
	By         string           `json:"by,omitempty"`       // who has asked for it; from masters of older versions ""
	Drained    bool             `json:"drained,omitempty"`  // balancers are told to send new clients elsewhere
	Watchdog   time.Duration    `json:"watchdog,omitempty"` // systemd's, in ns: it names only the first master's pid
	Stored     []string         `json:"stored,omitempty"`   // names of the descriptors that systemd keeps for the masters
	Tickets    wire.TicketKeys  `json:"tickets,omitempty"`  // of TLS sessions
	PIDFile    process.Written  `json:"pidFile,omitzero"`   // the new master's is another one, or replaces it
	Counters   status.Counters  `json:"counters,omitzero"`  // of all workers so far
	History    []status.Change  `json:"history,omitempty"`  // the last changes
	Tallies    []status.Tally   `json:"tallies,omitempty"`  // of all changes so far
}

// maxNumber and maxWorkers bound what a stored Snapshot may say.
const (
	maxNumber  = 1 << 30
	maxWorkers = 1 << 14
)

// Stored is a Snapshot from the store of a manager, which a master that has died has left there
// as JSON: not one of a process that is known. So it is checked. Workers get ids that
// it has not used, and are ready as in any first start: what they serve is up to the
// environment of the new one.
func Stored(b []byte) (*Snapshot, error) {
	var s *Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("state of the last master: %w", err)
	}
	if s == nil || !s.isPossible() {
		return nil, errors.New("state of the last master: a number is out of range")
	}
	s.LastID += idBlock
	s.Served, s.Needed, s.Drained, s.PIDFile = nil, nil, false, process.Written{}
	return s, nil
}

func (s *Snapshot) isPossible() bool {
	return s.Generation >= 1 && s.Generation <= maxNumber && s.LastID >= 0 && s.LastID <= maxNumber &&
		(!s.Scaled || s.Workers >= 1 && s.Workers <= maxWorkers)
}

// Times is how long workers took from their start to the first Accept, by slot and by the
// name of the socket, in ns.
type Times map[int]map[string]time.Duration

// known are the errors that errors.Is finds on the other side of the link, by their
// names in Message.Is.
var known = []struct {
	name string
	err  error
}{
	{"notReady", reload.ErrNotReady},
	{"noAnswer", reload.ErrNoAnswer},
}

// Failure returns the message that reports err, which may be nil: then the new master
// was told to stop.
func Failure(err error) *Message {
	if err == nil {
		return &Message{Kind: Failed, Reason: "it was told to stop"}
	}
	m := &Message{Kind: Failed, Reason: err.Error()}
	for _, k := range known {
		if errors.Is(err, k.err) {
			m.Is = append(m.Is, k.name)
		}
	}
	return m
}

// Err returns the error that a Failed message reports.
func (m *Message) Err() error {
	e := &peerError{text: m.Reason}
	for _, k := range known {
		if slices.Contains(m.Is, k.name) {
			e.is = append(e.is, k.err)
		}
	}
	return e
}

// peerError is an error that happened in the other master.
type peerError struct {
	text string
	is   []error
}

func (e *peerError) Error() string   { return e.text }
func (e *peerError) Unwrap() []error { return e.is }

// VersionError says that a new master speaks a version of the protocol that is too old.
type VersionError struct {
	Got int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("it speaks version %d, this master %d", e.Got, Version)
}
