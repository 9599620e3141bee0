package listentest_test

import (
	"net"
	"testing"

	"github.com/rota-go/rota/listentest"
)

// counting wraps a listener. Embedding keeps the methods of *net.TCPListener out of
// reach, so that the cases about SetDeadline and File are skipped.
type counting struct {
	net.Listener
	accepted int
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted++ // BUG: Accept may be called by several goroutines
	}
	return conn, err
}

func listenCounting(network, address string) (net.Listener, error) {
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, err // not a *counting around nil
	}
	return &counting{Listener: ln}, nil
}

// This is the body of a test. With go test -race it finds the bug of counting.
func Example() {
	t := &testing.T{} // the argument of func TestListen(t *testing.T)
	listentest.TestListener(t, listenCounting)
}

func ExampleOptions() {
	t := &testing.T{} // the argument of func TestListen(t *testing.T)
	listentest.Options{
		Skip: map[string]string{
			"unix*/*": "for TCP only",
		},
	}.TestListener(t, listenCounting)
}
