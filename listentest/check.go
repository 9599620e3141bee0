package listentest

import (
	"errors"
	"io/fs"
	"net"
	"reflect"
	"strings"
)

// wantOp checks that err is a *net.OpError of this operation and network, and wraps
// cause. The network may be "tcp" for a tcp4 socket, as package net itself reports for
// a socket made from a file descriptor.
func (t *trial) wantOp(err error, op string, cause error) {
	t.Helper()
	e, ok := err.(*net.OpError)
	switch {
	case err == nil:
		t.Errorf("%s: no error, want %v", op, cause)
	case !ok:
		t.Errorf("%s: the error is a %T, want *net.OpError: %v", op, err, err)
	case e.Op != op:
		t.Errorf("%s: Op is %q: %v", op, e.Op, err)
	case e.Net != t.network && e.Net != strings.TrimRight(t.network, "46"):
		t.Errorf("%s: Net is %q, want %q: %v", op, e.Net, t.network, err)
	case !errors.Is(err, cause):
		t.Errorf("%s: %v; want %v", op, err, cause)
	}
}

// wantClosed checks that err is net.ErrClosed of op, and neither Timeout nor
// Temporary: http.Serve retries after temporary errors, without end.
func (t *trial) wantClosed(err error, op string) {
	t.Helper()
	t.wantOp(err, op, net.ErrClosed)
	if e, ok := err.(net.Error); ok && (e.Timeout() || temporary(e)) {
		t.Errorf("%s: says Timeout or Temporary: %v", op, err)
	}
}

func temporary(err error) bool {
	e, ok := err.(interface{ Temporary() bool })
	return ok && e.Temporary()
}

// wantSameError checks that got has the text, fields and errors.Is results of want,
// the error of package net for the same call.
func (t *trial) wantSameError(got, want error) {
	t.Helper()
	if got == nil {
		t.Fatalf("no error, package net returns: %v", want)
	}
	if got.Error() != want.Error() {
		t.Errorf("the text differs:\n got %s\nwant %s", got, want)
	}
	t.wantSameOp(got, want)
	for _, target := range []error{leaf(want), fs.ErrExist, fs.ErrNotExist, fs.ErrPermission} {
		if errors.Is(got, target) != errors.Is(want, target) {
			t.Errorf("errors.Is(%v, %v) is %v, package net's is %v", got, target, errors.Is(got, target), errors.Is(want, target))
		}
	}
}

// wantSameOp compares the fields and methods of two *net.OpError.
func (t *trial) wantSameOp(got, want error) {
	t.Helper()
	g, ok := got.(*net.OpError)
	w, wantOK := want.(*net.OpError)
	if !ok || !wantOK {
		t.Errorf("the error is a %T, net's is a %T", got, want)
		return
	}
	if g.Op != w.Op || g.Net != w.Net || !sameAddr(g.Source, w.Source) || !sameAddr(g.Addr, w.Addr) {
		t.Errorf("the fields differ:\n got %q %q %v %v\nwant %q %q %v %v", g.Op, g.Net, g.Source, g.Addr, w.Op, w.Net, w.Source, w.Addr)
	}
	if g.Timeout() != w.Timeout() || g.Temporary() != w.Temporary() {
		t.Errorf("Timeout, Temporary: %v, %v; net's are %v, %v", g.Timeout(), g.Temporary(), w.Timeout(), w.Temporary())
	}
}

func sameAddr(a, b net.Addr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && a.Network() == b.Network() && a.String() == b.String()
}

// leaf returns the innermost error if it can be compared by value, such as a
// syscall.Errno. It returns nil for a pointer, which equals no other error.
func leaf(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	if reflect.TypeOf(err).Kind() == reflect.Pointer {
		return nil
	}
	return err
}
