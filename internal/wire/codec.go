package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// The bodies are JSON objects: a later version adds fields, an older one passes
// over those it doesn't know. A [Message]'s body is the program's own.
type (
	// HelloBody introduces a worker and the versions that it speaks.
	HelloBody struct {
		Min int `json:"min"`
		Max int `json:"max"`
		PID int `json:"pid"`
	}
	// WelcomeBody takes it on.
	WelcomeBody struct {
		Version   int           `json:"version"`
		Grace     time.Duration `json:"grace"`     // ns
		IdleGrace time.Duration `json:"idleGrace"` // ns
		// HoldOff is how long the worker takes no connection from a shared socket after
		// its first Accept on it, in ns: it is on trial, and others serve.
		HoldOff time.Duration `json:"holdOff,omitempty"`
	}
	// RefuseBody turns it away.
	RefuseBody struct {
		Reason string `json:"reason"`
	}
	// SocketBody comes with the descriptor. ID names the socket in later frames.
	SocketBody struct {
		ID int `json:"id"`
	}
	// AcceptingBody says that the program has called Accept (or ReadFrom) on a
	// socket for the first time. Own names one that the master doesn't know.
	AcceptingBody struct {
		ID  int    `json:"id,omitempty"`
		Own string `json:"own,omitempty"`
	}
	// ClosedBody says that the program has closed a socket.
	ClosedBody struct {
		ID int `json:"id"`
	}
	// CheckBody asks how the worker is.
	CheckBody struct {
		Within time.Duration `json:"within"` // ns: a later answer is none
	}
	// CheckedBody says it.
	CheckedBody struct {
		Error string `json:"error,omitempty"` // empty: well
	}
	// FailedBody is an error that should look as if it had happened in the worker.
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

// Body returns v as a frame's body. v is one of the bodies above.
func Body(v any) []byte {
	b, _ := json.Marshal(v) // none of the bodies above can fail
	return b
}

// Decode reads the body of f into v.
func (f Frame) Decode(v any) error {
	if err := json.Unmarshal(f.Body, v); err != nil {
		return fmt.Errorf("%w: %v: %v", ErrBody, f.Type, err)
	}
	return nil
}
