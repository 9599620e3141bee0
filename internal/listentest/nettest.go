package listentest

import (
	"net"

	"golang.org/x/net/nettest"
)

var nettestCases = []testCase{
	{"ConnNettest", "The conns pass golang.org/x/net/nettest.TestConn (docs/contract.md#returned-nettest).", "", connNettest},
}

func connNettest(t *trial) {
	real, ok := t.T.(testingT)
	if !ok {
		t.Skipf("nettest needs a *testing.T, which only go test's runner gives")
	}
	ln := t.listen()
	nettest.TestConn(real.T, func() (c1, c2 net.Conn, stop func(), err error) {
		c2, err = net.Dial(t.network, ln.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		c1, err = ln.Accept()
		if err != nil {
			c2.Close()
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}
