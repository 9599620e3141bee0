package workerproc

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/bind"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/wire"
)

// Who learns from Accept or ReadFrom that the socket is closed may ask for its address again: the
// master has been told (docs/contract.md#sharing-3).
func TestAcceptFailsAfterClose(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *Worker) (closeIt, use func() error){
		"a listener": func(t *testing.T, w *Worker) (closeIt, use func() error) {
			l, err := w.trackListener(&listener{Listener: listenTCP(t), id: 4}, bind.Request{})
			if err != nil {
				t.Fatal(err)
			}
			return l.Close, func() error { _, err := l.Accept(); return err }
		},
		"a packet conn": func(t *testing.T, w *Worker) (closeIt, use func() error) {
			inner, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c, err := w.trackPacket(inner, bind.Request{}, packetOwner{Worker: w, id: 4})
			if err != nil {
				t.Fatal(err)
			}
			return c.Close, func() error { _, _, err := c.ReadFrom(make([]byte, 1)); return err }
		},
	} {
		t.Run(name, func(t *testing.T) { wantCloseFirst(t, open) })
	}
}

// wantCloseFirst closes what open opens while it is used.
func wantCloseFirst(t *testing.T, open func(*testing.T, *Worker) (closeIt, use func() error)) {
	master, failed := newFakeLink(), make(chan error, 1)
	w := newWorker(link.Identity{}, master)
	closeIt, use := open(t, w)
	master.onSend = func(f wire.Frame) {
		switch f.Type {
		case wire.Accepting:
			go closeIt()
		case wire.Closed:
			select {
			case err := <-failed:
				t.Error("it fails before the master knows that the socket is closed")
				failed <- err
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	go func() { failed <- use() }()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if n := master.count(wire.Closed); n != 1 {
		t.Errorf("the master was told %d times", n)
	}
}
