//go:build linux

package socket

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
)

// labReopen opens a socket n times. Each time another goroutine closes it while it is used, and
// it is asked for again as soon as that fails.
func labReopen(v url.Values) (string, error) {
	var n int
	fmt.Sscan(v.Get("n"), &n)
	for i := range n {
		s, _, err := labOpen(rota.ListenConfig{}, v.Get("network"), v.Get("address"))
		if err != nil {
			return "", fmt.Errorf("time %d: %w", i, err)
		}
		go s.Close()
		if err := useOnce(s); !errors.Is(err, net.ErrClosed) {
			return "", err
		}
	}
	return "", nil
}

// useOnce accepts, or reads, once.
func useOnce(s io.Closer) (err error) {
	switch s := s.(type) {
	case net.Listener:
		_, err = s.Accept()
	case net.PacketConn:
		_, _, err = s.ReadFrom(make([]byte, 1))
	}
	return err
}

// An address may be asked for again as soon as Accept or ReadFrom has failed because another goroutine closes the
// socket (docs/contract.md#sharing-3).
func TestReopen(t *testing.T) {
	lab := labsOf(e2etest.Start(t, "lab", server.Quick(1)), 1)[0]
	for _, network := range []string{"tcp", "unix", "udp"} {
		if _, err := lab.try("reopen", "n", "50", "network", network, "address", sharedAddress(t, network)); err != nil {
			t.Errorf("%s: %v", network, err)
		}
	}
}
