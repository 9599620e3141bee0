//go:build linux

package link

import (
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/wire"
)

// TestDeathIsEOF, whichever way the other side goes.
func TestDeathIsEOF(t *testing.T) {
	for name, die := range map[string]func(peer int, l *Link){
		"closed":     func(peer int, _ *Link) {},
		"shut down":  func(peer int, _ *Link) { unix.Shutdown(peer, unix.SHUT_RDWR) },
		"ECONNRESET": func(peer int, l *Link) { _ = l.Send(message("never read")); _ = l.Flush(within(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			noneLeft(t)
			l, peer := rawPeer(t)
			b, _ := wire.Append(nil, message("last words"))
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

// TestLastWords: a side whose own frames nobody takes any more still reads what the
// other left.
func TestLastWords(t *testing.T) {
	noneLeft(t)
	a, b := pairOfLinks(t)
	mustSend(t, b, message("last words"), someFD(t, "will"))
	if err := b.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	b.Close()
	var err error
	for end := time.Now().Add(stuck); err == nil && time.Now().Before(end); {
		err = a.Send(message("are you there?"))
	}
	wantErr(t, "send to the dead", err, ErrClosed)
	got := await(t, "last words", receiveAll(a))
	if got.err != io.EOF || len(got.packets) != 1 {
		t.Fatalf("%d packets and error %v, want 1 and EOF", len(got.packets), got.err)
	}
	if c := contentOf(t, got.packets[0].Files[0]); c != "will" {
		t.Errorf("inherited %q", c)
	}
	if err := a.Flush(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("flush to the dead: %v", err)
	}
}
