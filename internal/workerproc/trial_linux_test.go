//go:build linux

package workerproc

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/rota-go/rota/internal/descriptor"
	"github.com/rota-go/rota/internal/link"
	"github.com/rota-go/rota/internal/sharedsocket"
)

// A listener of a worker on trial has the methods of its kind.
func TestLazyListenerHasTheMethodsOfItsKind(t *testing.T) {
	w := newWorker(link.Identity{ID: 1}, newFakeLink())
	lazy := func(network, address string) net.Listener {
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := descriptor.DupOf(ln)
		if err != nil {
			t.Fatal(err)
		}
		l := w.Track(sharedsocket.Lazy(ln, fd))
		t.Cleanup(func() { l.Close() })
		return l
	}
	if _, ok := lazy("tcp", "127.0.0.1:0").(*tcpListener); !ok {
		t.Error("a TCP listener has no AcceptTCP")
	}
	if _, ok := lazy("unix", filepath.Join(t.TempDir(), "s")).(*unixListener); !ok {
		t.Error("a unix listener has no AcceptUnix")
	}
}
