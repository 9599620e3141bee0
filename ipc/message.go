package ipc

import (
	"encoding/json"
	"fmt"
)

// Message is what the other process has sent: a value, and handles with it.
type Message struct {
	// Handles came with the message, in the order in which they were sent. Those that
	// are still unused when the last function that gets the message has returned are
	// closed.
	Handles []Handle

	// Data is the value as JSON.
	Data json.RawMessage

	// From is the id of the worker that has broadcast the message, and 0 in every other
	// message.
	From int
}

// Decode stores the value in v, by the rules of json.Unmarshal.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.Data, v); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	return nil
}

// String returns the value as the JSON that it came as.
func (m Message) String() string { return string(m.Data) }
