//go:build linux

package link

import (
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/wire"
)

// However the other side ends, Receive returns its frames and then io.EOF.
func TestDeathIsEOF(t *testing.T) {
	for name, die := range map[string]func(peer int, l *Link){
		"closed":     func(peer int, _ *Link) {},
		"shut down":  func(peer int, _ *Link) { unix.Shutdown(peer, unix.SHUT_RDWR) },
		"ECONNRESET": func(peer int, l *Link) { _ = l.Send(message("never read")); _ = l.Flush(within(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			noneLeft(t)
			l, peer := rawPeer(t)
			b, _ := wire.Append(nil, message("sent before the close"))
			if _, err := unix.Write(peer, b); err != nil {
				t.Fatal(err)
			}
			die(peer, l)
			unix.Shutdown(peer, unix.SHUT_RDWR)
			c := receiveAll(l)
			closePeer(peer)
			if got := await(t, "end", c); got.err != io.EOF || len(got.packets) != 1 {
				t.Errorf("%d packets and error %v, want 1 and EOF", len(got.packets), got.err)
			}
		})
	}
}

// closePeer closes what rawPeer's cleanup would close, under the same number.
func closePeer(peer int) {
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Dup3(null, peer, unix.O_CLOEXEC)
		_ = unix.Close(null)
	}
}

// A side whose Send fails because the other has closed still receives the frames that
// the other sent before.
func TestReceiveAfterSendFails(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	mustSend(t, b, message("sent before the close"), someFD(t, "content"))
	if err := b.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	var err error
	for end := time.Now().Add(stuck); err == nil && time.Now().Before(end); {
		err = a.Send(message("never read"))
	}
	wantErr(t, "send to a closed link", err, ErrClosed)
	got := await(t, "sent before the close", receiveAll(a))
	if got.err != io.EOF || len(got.packets) != 1 {
		t.Fatalf("%d packets and error %v, want 1 and EOF", len(got.packets), got.err)
	}
	if c := contentOf(t, got.packets[0].Files[0]); c != "content" {
		t.Errorf("the file has %q", c)
	}
	if err := a.Flush(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("flush to a closed link: %v", err)
	}
}

// heldByOther returns a link, its other side, and another descriptor of that side, as a
// process has that a worker has started before it knew the link.
func heldByOther(t *testing.T) (l, worker *Link, held int) {
	t.Helper()
	l, end, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	fd, err := descriptor.DupOf(end)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fd.Close() })
	if worker, err = linkOf(end); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { worker.Close() })
	return l, worker, fd.Int()
}

// The end of the worker is EOF also if another process has its end of the link open: Close
// says so to the other side, and CloseRead is for when the worker has died. Frames from
// before are received; the other process can send none.
func TestEndOfALinkThatAnotherHolds(t *testing.T) {
	for name, end := range map[string]func(l, worker *Link){
		"the worker has closed it": func(_, worker *Link) { worker.Close() },
		"the worker has died":      func(l, _ *Link) { _ = l.CloseRead() },
	} {
		t.Run(name, func(t *testing.T) {
			noneLeft(t)
			l, worker, held := heldByOther(t)
			mustSend(t, worker, message("sent before"))
			c := receiveAll(l)
			end(l, worker)
			if got := await(t, "end", c); got.err != io.EOF || len(got.packets) != 1 {
				t.Errorf("%d packets and error %v, want 1 and EOF", len(got.packets), got.err)
			}
			if err := unix.Send(held, []byte("R"), unix.MSG_NOSIGNAL); err != unix.EPIPE {
				t.Errorf("a write of the other process: %v, want %v", err, unix.EPIPE)
			}
		})
	}
}
