// Package control is the protocol of a master's control socket: lines of JSON. It opens
// nothing and waits for nothing. docs/control.md describes the protocol.
package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rota-go/rota/status"
)

const (
	// MaxRequest is the largest size of a request, in bytes.
	MaxRequest = 4 << 10
	// MaxReply is the largest size of a line of an answer that a client reads, in bytes.
	MaxReply = 16 << 20
	// MaxWorkers is the largest number of workers of a Scale. A larger one is taken for a
	// mistake.
	MaxWorkers = 1024
)

// Suffix is added to the path of the socket while it is being bound. The kernel goes on to show
// that name in /proc/net/unix.
const Suffix = ".new"

// Do says what a client wants.
type Do string

// What a client may want.
const (
	Status   Do = "status"   // one Reply.Status
	Watch    Do = "watch"    // a Reply.Status now and after each change, until the client goes
	Reload   Do = "reload"   // replace the workers
	Rollback Do = "rollback" // replace the workers by those of the release before
	Promote  Do = "promote"  // end the trial of canaries
	Abort    Do = "abort"    // roll the reload under way back
	Pause    Do = "pause"    // have the reload under way stand still
	Resume   Do = "resume"   // have it go on
	Upgrade  Do = "upgrade"  // replace the master
	Scale    Do = "scale"    // set the number of workers
	Restart  Do = "restart"  // replace one worker
	Stop     Do = "stop"     // end the master gracefully
	Drain    Do = "drain"    // balancers are told to send new clients elsewhere
	Undrain  Do = "undrain"  // no longer
)

// Request is the one line that a client sends.
type Request struct {
	Do      Do   `json:"do"`
	NoWait  bool `json:"nowait,omitempty"`  // Reload, Rollback, Upgrade, Restart, Stop: the result doesn't wait for the end
	Workers int  `json:"workers,omitempty"` // Scale
	Slot    int  `json:"slot,omitempty"`    // Restart: the worker that serves in it
	Worker  int  `json:"worker,omitempty"`  // Restart: the worker's id, if it isn't 0

	Canary int   `json:"canary,omitempty"` // Reload: so many canaries; 0: as configured
	For    int64 `json:"for,omitempty"`    // Reload with Canary: they are tried for so long, in ns; 0: as configured
}

// ErrInvalid means that a line is not a request or an answer. It may be wrapped.
var ErrInvalid = errors.New("invalid request")

// Parse reads a request, without its newline. Fields that it doesn't know are ignored.
func Parse(line []byte) (r Request, err error) {
	if len(line) > MaxRequest {
		return r, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, MaxRequest)
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	return r, r.check()
}

func (r Request) check() error {
	switch r.Do {
	case Reload:
		if r.Canary < 0 || r.Canary > MaxWorkers || r.For < 0 || r.For > 0 && r.Canary == 0 {
			return fmt.Errorf("%w: canary: want 1 to %d, for a time", ErrInvalid, MaxWorkers)
		}
	case Status, Watch, Rollback, Promote, Abort, Pause, Resume, Upgrade, Stop, Drain, Undrain:
	case Scale:
		if r.Workers < 1 || r.Workers > MaxWorkers {
			return fmt.Errorf("%w: workers: want 1 to %d", ErrInvalid, MaxWorkers)
		}
	case Restart:
		if r.Slot < 0 || r.Worker < 0 {
			return fmt.Errorf("%w: want a slot or the id of a worker", ErrInvalid)
		}
	default:
		return fmt.Errorf("%w: do: %.20q", ErrInvalid, string(r.Do))
	}
	return nil
}

// Reply is one line of an answer. One of its fields is set; a line with none says that the
// master is still there. The last line of an answer has Result.
type Reply struct {
	Status   *status.Status `json:"status,omitempty"`
	Progress *Progress      `json:"progress,omitempty"`
	Result   *Result        `json:"result,omitempty"`
}

// Code says how a request has ended.
type Code string

// The codes of a Result.
const (
	Done    Code = "done"
	Failed  Code = "failed"  // it has failed, and everything is as before
	Left    Code = "left"    // a reload that the new master of an upgrade does
	Invalid Code = "invalid" // of a request that this master doesn't understand
	Denied  Code = "denied"  // to this user
	Busy    Code = "busy"    // too many clients
)

// Result is the end of an answer.
type Result struct {
	Code   Code   `json:"code"`
	Error  string `json:"error,omitempty"`  // why, unless Code is Done
	Stderr string `json:"stderr,omitempty"` // the last lines of the worker that has failed, if the master has them
}

// Encode returns a request or a reply as a line.
func Encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // it has only values that can be encoded
		b = []byte("{}")
	}
	return append(b, '\n')
}

// ParseReply reads a line of an answer.
func ParseReply(line []byte) (r Reply, err error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Reply{}, fmt.Errorf("invalid answer: %w", err)
	}
	return r, nil
}
