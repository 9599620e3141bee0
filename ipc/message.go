package ipc

import (
	"encoding/json"
	"fmt"
)

// Message is what the other side has sent: a value, and handles with it.
type Message struct {
	// Handles came with the message, in the order in which they were sent. What the
	// functions that the message is given to have not taken (by Conn, Listener,
	// PacketConn or File) is closed when the last of them has returned.
	Handles []Handle

	body []byte
}

// Decode stores the value in v, by the rules of json.Unmarshal.
func (m Message) Decode(v any) error {
	if err := json.Unmarshal(m.body, v); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	return nil
}

// String returns the value as the JSON that it came as.
func (m Message) String() string { return string(m.body) }
