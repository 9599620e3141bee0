//go:build linux

package link

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// inherit makes a link of descriptor n. The number came from the environment, so n is
// checked first; n is owned by the link only if it is a unix stream socket.
func inherit(n int) (*Link, error) {
	if err := checkLink(n); err != nil {
		return nil, err
	}
	return New(descriptor.New(n)) // the link's own duplicate is close-on-exec and non-blocking
}

func checkLink(n int) error {
	var is [3]int
	for i, option := range []int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_ACCEPTCONN} {
		v, err := unix.GetsockoptInt(n, unix.SOL_SOCKET, option)
		if err != nil {
			return os.NewSyscallError("getsockopt", err)
		}
		is[i] = v
	}
	switch {
	case is[0] != unix.AF_UNIX || is[1] != unix.SOCK_STREAM:
		return fmt.Errorf("a socket of domain %d and type %d", is[0], is[1])
	case is[2] != 0:
		return errors.New("a socket that listens")
	}
	return nil
}
