// Package controlclient is the client's side of a master's control socket: it finds the socket,
// and makes requests. The library doesn't import it; the command rota does.
package controlclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/rota-go/rota/internal/control"
)

// Errors of Do. errors.Is finds them.
var (
	ErrNoMaster = errors.New("no master listens there")
	ErrDenied   = errors.New("not permitted")
	// ErrEnded means that the master has ended, or has closed the connection, before the result.
	ErrEnded = errors.New("the master has ended the connection")
)

// Do sends a request to the master whose socket is at path, calls each with every line of the
// answer before its result, and returns the result. A Result with code Denied is ErrDenied. If
// ctx ends first, the error is ctx's, and what was asked for goes on.
func Do(ctx context.Context, path string, r control.Request, each func(control.Reply)) (control.Result, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return control.Result{}, kindOf(path, err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // the reader notices
	_, werr := c.Write(control.Encode(r))                    // if it fails, the answer may be there
	result, err := read(c, each)
	switch {
	case ctx.Err() != nil:
		return result, ctx.Err()
	case err != nil && werr != nil:
		return result, fmt.Errorf("%s: %w", path, werr)
	case err == nil && result.Code == control.Denied:
		return result, fmt.Errorf("%s: %w: %s", path, ErrDenied, result.Error)
	}
	return result, err
}

// read reads an answer.
func read(r io.Reader, each func(control.Reply)) (control.Result, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, control.MaxReply)
	for in.Scan() {
		reply, err := control.ParseReply(in.Bytes())
		switch {
		case err != nil:
			return control.Result{}, err
		case reply.Result != nil:
			return *reply.Result, nil
		case each != nil && reply != (control.Reply{}):
			each(reply)
		}
	}
	if err := in.Err(); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		return control.Result{}, err
	}
	return control.Result{}, ErrEnded
}

// kindOf returns the error of a connect that has failed with err.
func kindOf(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: %w: %v", path, ErrNoMaster, cause(err))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w", path, ErrDenied)
	}
	return err
}

// cause returns the text of the system's error in err.
func cause(err error) error {
	if e := (*os.SyscallError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// Clean returns text, which a worker may have written, without what a terminal would obey.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
