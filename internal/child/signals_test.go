package child

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// A signal waits for the hello, once, and the next one is sent at once.
func TestHeld(t *testing.T) {
	var h Held
	var sent []os.Signal
	send := func(s os.Signal) error { sent = append(sent, s); return nil }
	h.Send(syscall.SIGHUP, send)
	h.Send(syscall.SIGTERM, send)
	h.Send(syscall.SIGHUP, send)
	if len(sent) > 0 {
		t.Errorf("%v were sent before the hello", sent)
	}
	h.Online(send)
	h.Send(syscall.SIGHUP, send)
	if want := []os.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGHUP}; !slices.Equal(sent, want) {
		t.Errorf("%v were sent, want %v", sent, want)
	}
}
