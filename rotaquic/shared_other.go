//go:build !linux

package rotaquic

import (
	"context"
	"errors"
	"net"

	"github.com/quic-go/quic-go"

	"github.com/rota-go/rota/worker"
)

// shared is of no use where no process is a worker.
type shared struct{}

func share(*worker.Worker, string, net.PacketConn, *quic.Transport) (*shared, error) {
	return nil, errors.ErrUnsupported
}

func (s *shared) serve()                 {}
func (s *shared) drain()                 {}
func (s *shared) leave()                 {}
func (s *shared) close()                 {}
func (s *shared) passOn(context.Context) {}
func (s *shared) retire()                {}
func (s *shared) isReplacing() bool      { return false }
