package status

import (
	"fmt"
	"os"
)

// State says where a worker is in its life.
type State int32

// The states of a worker. Its text is that of String.
const (
	Starting     State = iota // the process is being started, or hasn't said hello yet
	Online                    // the worker has said hello
	Listening                 // it has a socket
	Draining                  // it finishes its connections
	Disconnected              // its link is closed
	Dead                      // its process has ended
)

var states = [...]string{"starting", "online", "listening", "draining", "disconnected", "dead"}

func (s State) String() string { return states[s] }

// MarshalText returns the name of the state.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the name of a state. It fails if there is no such state.
func (s *State) UnmarshalText(text []byte) error {
	for i, name := range states {
		if name == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("no state of a worker: %q", text)
}

// Exit says how a worker ended: by a signal or with a code, not both.
type Exit struct {
	Code   int       // 0 where Signal or Err is set
	Signal os.Signal // nil unless a signal killed it
	Err    error     // the worker could not be started

	// Undelivered is how many messages of master.Worker.Send, and broadcasts of other workers, the
	// functions of OnMessage were not called with. It is exact if the worker has left. If it
	// has died, messages that it had taken in its last tenth of a second count too.
	Undelivered int
}

func (x Exit) String() string {
	switch {
	case x.Err != nil:
		return x.Err.Error()
	case x.Signal != nil:
		return "signal: " + x.Signal.String()
	}
	return fmt.Sprintf("exit status %d", x.Code)
}
