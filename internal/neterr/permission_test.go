package neterr

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// os.ErrPermission gets an errno, which arrives at the other side. Other errors are
// unchanged.
func TestPermission(t *testing.T) {
	err := overTheLink(t, Permission(fmt.Errorf("worker 3 may not: %w", os.ErrPermission)))
	if !errors.Is(err, syscall.EACCES) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("%v is not EACCES and os.ErrPermission", err)
	}
	if want := "worker 3 may not: permission denied"; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	for _, err := range []error{nil, syscall.EPERM, os.ErrNotExist} {
		if got := Permission(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
