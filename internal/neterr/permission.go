package neterr

import (
	"errors"
	"os"
	"syscall"
)

// Permission returns err with the errno EACCES and the same text, if err is
// os.ErrPermission and has no errno. Other errors, and nil, are returned as they are. A
// program that refuses a socket with os.ErrPermission means what the system means by
// EACCES, and a worker that looks for either finds it.
func Permission(err error) error {
	var errno syscall.Errno
	if errors.Is(err, os.ErrPermission) && !errors.As(err, &errno) {
		return &wordedError{err.Error(), syscall.EACCES}
	}
	return err
}
