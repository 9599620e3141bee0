//go:build linux

package sockets

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/mailbox"
)

// A path with a zero byte is refused: bind(2) would end it there, and bind another file
// than the one that was asked for, which nobody would unlink.
func TestPathWithZero(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a\x00b")
	o, err := openPath(t.Context(), Request{Request: bind.Request{Network: "unix", Address: path}})
	if err == nil {
		o.Close()
	}
	var op *net.OpError
	if !errors.Is(err, syscall.EINVAL) || !errors.As(err, &op) || op.Addr.String() != path {
		t.Errorf("error %v, want EINVAL for the path", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v was left", left)
	}
}

// Files are unlinked in turns, and a bind waits for what is under way at its path.
func TestUnlinkInTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	var work []func() func()
	table := New(2)
	table.Files = &mailbox.Turns{Work: func(f func() func()) { work = append(work, f) }}
	open := func(call uint32) <-chan error {
		_, b := table.Ask(Caller{1, call}, bind.Request{Network: "unix", Address: path}, nil)
		done := make(chan error, 1)
		go func() {
			o, err := b.Run(t.Context(), Open)
			table.Bound(b, o, err, time.Now())
			done <- err
		}()
		return done
	}
	if err := <-open(1); err != nil {
		t.Fatal(err)
	}
	table.CloseAll()
	if _, err := os.Lstat(path); err != nil || len(work) != 1 {
		t.Fatalf("CloseAll has unlinked the file itself: %v", err)
	}
	second := open(2)
	select {
	case err := <-second:
		t.Fatalf("the bind doesn't wait for the unlink: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	then := work[0]()
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	then()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the second socket has no file: %v", err)
	}
	table.CloseAll()
	work[1]()()
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file is left")
	}
}
