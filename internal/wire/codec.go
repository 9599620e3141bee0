package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// The bodies are JSON objects. A later version may add fields; a receiver ignores fields
// that it doesn't know. The body of a [Listen] is a bind.Request, those of a [Message] and a
// [Broadcast] are the program's.
type (
	// HelloBody says which versions of the protocol the worker speaks.
	HelloBody struct {
		Min int `json:"min"`
		Max int `json:"max"`
		PID int `json:"pid"`
		// Moves says that the worker can move connections: it understands HandOver and Receive.
		Moves bool `json:"moves,omitempty"`
		// Pings says that the worker answers checks that ask for a sign of life.
		Pings bool `json:"pings,omitempty"`
		// Counts says that the worker answers Count.
		Counts bool `json:"counts,omitempty"`
		// Helps says that the worker accepts connections of other slots: it understands Help.
		Helps bool `json:"helps,omitempty"`
		// Turns says that the worker understands InTurn, and Help without a descriptor.
		Turns bool `json:"turns,omitempty"`
		// Spares says that connections can move while the worker stays: it understands Spare.
		Spares bool `json:"spares,omitempty"`
	}
	// WelcomeBody accepts the worker, and tells it how long its drain may take.
	WelcomeBody struct {
		Version   int           `json:"version"`
		Grace     time.Duration `json:"grace"`     // ns
		IdleGrace time.Duration `json:"idleGrace"` // ns
		// HoldOff is how long, in ns, the worker accepts no connection from a shared
		// socket after its first Accept on it, because it is on trial.
		HoldOff time.Duration `json:"holdOff,omitempty"`
		// MaxRequests is after how many requests, or connections, the worker sends Worn; 0: never.
		MaxRequests int64 `json:"maxRequests,omitempty"`
	}
	// DisconnectBody bounds a drain that begins, or has begun. A frame without a body leaves
	// what was said before.
	DisconnectBody struct {
		Grace time.Duration `json:"grace"` // ns, from now on
	}
	// TicketsBody has the keys of TLS session tickets, the newest first.
	TicketsBody struct {
		Keys TicketKeys `json:"keys"`
	}
	// RefuseBody says why the worker is not accepted.
	RefuseBody struct {
		Reason string `json:"reason"`
	}
	// SocketBody comes with the descriptor of a socket. ID names it in later frames.
	SocketBody struct {
		ID int `json:"id"`
		// Cookie is the kernel's number of the socket, or of the first one where each slot has one. With 0 the
		// worker asks the kernel.
		Cookie uint64 `json:"cookie,omitempty"`
		// InTurn says that other workers accept from the socket too, and the master notices when
		// the one that the kernel has woken for a connection doesn't.
		InTurn bool `json:"inTurn,omitempty"`
	}
	// AcceptingBody says that the program has called Accept (or ReadFrom) on a socket
	// for the first time. Own names a socket that the master doesn't know.
	AcceptingBody struct {
		ID  int    `json:"id,omitempty"`
		Own string `json:"own,omitempty"`
	}
	// HelpBody says whose connections are to be accepted: those of another slot of socket ID, whose
	// descriptor comes with it, or without one those in the worker's queue for which another was woken.
	HelpBody struct {
		ID int `json:"id"`
	}
	// StandByBody says for how long the worker leaves the connections of socket ID, whose queue all have, to others.
	StandByBody struct {
		ID  int           `json:"id"`
		For time.Duration `json:"for,omitempty"` // ns; 0: no longer
	}
	// SpareBody says how many connections may move.
	SpareBody struct {
		Connections int `json:"connections"`
	}
	// ClosedBody says that the program has closed a socket.
	ClosedBody struct {
		ID int `json:"id"`
	}
	// CheckBody is a health check.
	CheckBody struct {
		Within time.Duration `json:"within"` // ns: how long the master waits for the answer; 0: it only asks for a sign of life
	}
	// CheckedBody is the answer to a health check.
	CheckedBody struct {
		Error string `json:"error,omitempty"` // empty: healthy
	}
	// ReportBody says what is wrong with a worker, in the words of its program.
	ReportBody struct {
		Error string `json:"error,omitempty"` // empty: nothing any more
	}
	// LeadBody names the lease that the program asks for.
	LeadBody struct {
		Name string `json:"name"`
	}
	// TakenBody says how many messages of the master the program has taken.
	TakenBody struct {
		Messages int `json:"messages"`
	}
	// CountedBody has the counters of a worker, and what its process has cost.
	CountedBody struct {
		Counters
		Work
	}
	// Counters are those of a worker; see status.Counters.
	Counters struct {
		Accepted  int64 `json:"accepted,omitempty"`
		Taken     int64 `json:"taken,omitempty"`
		Open      int64 `json:"open,omitempty"`
		Moved     int64 `json:"moved,omitempty"`
		Announced int64 `json:"announced,omitempty"`
		Cut       int64 `json:"cut,omitempty"`
		Requests  int64 `json:"requests,omitempty"`
		Errors    int64 `json:"errors,omitempty"`

		Classes  [5]int64      `json:"classes,omitzero"`
		InFlight int64         `json:"inFlight,omitempty"`
		Busy     time.Duration `json:"busy,omitempty"` // ns
	}
	// Work is what a process has cost by now; zero if the system doesn't say.
	Work struct {
		Processor time.Duration `json:"processor,omitempty"` // ns, of all threads
		Waits     int64         `json:"waits,omitempty"`     // how often a thread has given up a processor because it had nothing to do
	}
	// ShareBody names the file that the program asks for, and how large it is if it isn't there, or the
	// queue of datagrams.
	ShareBody struct {
		Name  string `json:"name"`
		Size  int64  `json:"size"`
		Queue bool   `json:"queue,omitempty"`
	}
	// FailedBody is an error of package net, taken apart by package neterr.
	FailedBody struct {
		Kind    string `json:"kind"` // see package neterr
		Op      string `json:"op,omitempty"`
		Net     string `json:"net,omitempty"`
		Addr    string `json:"addr,omitempty"`
		AddrNet string `json:"addrNet,omitempty"`
		Syscall string `json:"syscall,omitempty"`
		Errno   int    `json:"errno,omitempty"`
		Text    string `json:"text,omitempty"`
		Name    string `json:"name,omitempty"`
		Server  string `json:"server,omitempty"`
		Flags   int    `json:"flags,omitempty"`
	}
)

// maxText is the largest size of a text of a program in a body, in bytes: with seven of them,
// each byte escaped, a body is not larger than MaxControl.
const maxText = 1400

// Short returns text, or the beginning of one that is too long for a body.
func Short(text string) string {
	if len(text) <= maxText {
		return text
	}
	n := maxText
	for n > 0 && text[n]&0xc0 == 0x80 {
		n-- // not in the middle of a rune
	}
	return text[:n] + "…"
}

// Body returns v, a body as above, as JSON.
func Body(v any) []byte {
	b, _ := json.Marshal(v) // fails for none of the bodies above
	return b
}

// Decode stores the body of f in v.
func (f Frame) Decode(v any) error {
	if err := json.Unmarshal(f.Body, v); err != nil {
		return fmt.Errorf("%w: %v: %v", ErrBody, f.Type, err)
	}
	return nil
}

// TicketKeys are keys of TLS session tickets. Their JSON is one string in base64.
type TicketKeys [][32]byte

// MarshalJSON returns all keys as one string.
func (k TicketKeys) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 32*len(k))
	for _, key := range k {
		b = append(b, key[:]...)
	}
	return json.Marshal(b)
}

// UnmarshalJSON is the reverse of MarshalJSON.
func (k *TicketKeys) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if len(b)%32 != 0 {
		return fmt.Errorf("%d bytes are no keys", len(b))
	}
	*k = nil
	for ; len(b) > 0; b = b[32:] {
		*k = append(*k, [32]byte(b))
	}
	return nil
}

// With decodes the body of f, and calls use with it.
func With[B any](f Frame, use func(*B)) error {
	body := new(B)
	if err := f.Decode(body); err != nil {
		return err
	}
	use(body)
	return nil
}
