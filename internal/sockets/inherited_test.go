package sockets

import (
	"errors"
	"syscall"
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// A descriptor number means this process's own descriptor, or in a successor the first
// master's. A name means the sockets of that name in turn, of the kind that is asked for.
func TestInheritedNumber(t *testing.T) {
	all := []inheritedSocket{{n: 9, first: 3, name: "web"}, {n: 8, first: 4, name: "web", packet: true}, {n: 7, first: 5, name: "web"}}
	for _, tc := range []struct {
		successor bool
		address   string
		packet    bool
		index     int
		want      int
		err       error
	}{
		{false, "3", false, 0, 3, nil},
		{true, "3", false, 0, 9, nil},
		{true, "9", false, 0, 0, syscall.EBADF},
		{true, "web", false, 0, 9, nil},
		{true, "web", false, 1, 7, nil},
		{true, "web", false, 2, 0, syscall.EADDRINUSE},
		{true, "web", true, 0, 8, nil},
		{false, "dns", false, 0, 0, syscall.EINVAL},
	} {
		in := inherited{all: all, successor: tc.successor}
		n, err := in.number(Request{Request: bind.Request{Network: "fd", Address: tc.address, Packet: tc.packet}, Index: tc.index})
		if n != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%+v: %d, %v", tc, n, err)
		}
	}
}

// A name that only sockets of the other kind have is an error of its own.
func TestInheritedOfOtherKind(t *testing.T) {
	in := inherited{all: []inheritedSocket{{n: 9, first: 3, name: "web"}}}
	_, err := in.number(Request{Request: bind.Request{Network: "fdgram", Address: "web", Packet: true}})
	var e *bind.DescriptorError
	if !errors.As(err, &e) || e.Errno != syscall.EINVAL {
		t.Errorf("error %v, want a DescriptorError with EINVAL", err)
	}
}
