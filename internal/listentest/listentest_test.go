package listentest

import (
	"net"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever plain net does is right: these fail where a case is wrong.

func TestListen(t *testing.T) { Run(t, net.Listen) }

func TestListenPacket(t *testing.T) { RunPacket(t, net.ListenPacket) }
