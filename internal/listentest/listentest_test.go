package listentest

import (
	"net"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever plain net does is right: this fails where a case is wrong.
func TestListen(t *testing.T) { Run(t, net.Listen) }
