package listentest

import (
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The suite notices: each row breaks one thing about a listener, names the cases
// that must all fail for it, and what they must have to say. A case that no row
// mentions has never been seen to fail.

type broken struct {
	what  string // is wrong with it
	only  string // the cases that notice
	want  string // is part of what they say
	suite suite
}

// A workshop breaks things and clears up after them: what is broken may not do it.
type workshop struct {
	t    *testing.T
	done chan struct{} // closed when the test is over
}

func newWorkshop(t *testing.T) *workshop {
	w := &workshop{t, make(chan struct{})}
	t.Cleanup(func() { close(w.done) })
	return w
}

// listener is net.Listen whose listeners harm is done to.
func (w *workshop) listener(harm func(*fake)) suite {
	return suite{listen: func(network, address string) (net.Listener, error) {
		ln, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		w.t.Cleanup(func() { ln.Close() })
		f := newFake(ln.(*net.TCPListener))
		harm(f)
		return f, nil
	}}
}

// conn is net.Listen whose connections are replaced.
func (w *workshop) conn(replace func(*fakeConn) net.Conn) suite {
	return w.listener(func(f *fake) {
		f.accept = func() (net.Conn, error) {
			c, err := f.TCPListener.Accept()
			if err != nil {
				return nil, err
			}
			w.t.Cleanup(func() { c.Close() })
			return replace(newFakeConn(c.(*net.TCPConn))), nil
		}
	})
}

// harmed is conn for harm that is done in place.
func (w *workshop) harmed(harm func(*fakeConn)) suite {
	return w.conn(func(c *fakeConn) net.Conn { harm(c); return c })
}

// packet is net.ListenPacket whose packet conns harm is done to.
func (w *workshop) packet(harm func(*fakePacket)) suite {
	return suite{listenPacket: func(network, address string) (net.PacketConn, error) {
		pc, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		w.t.Cleanup(func() { pc.Close() })
		f := newFakePacket(pc.(*net.UDPConn))
		harm(f)
		return f, nil
	}}
}

// failing is a suite whose errors of Listen and ListenPacket are changed.
func failing(change func(error) error) suite {
	return suite{
		listen: func(network, address string) (net.Listener, error) {
			ln, err := net.Listen(network, address)
			return ln, changed(err, change)
		},
		listenPacket: func(network, address string) (net.PacketConn, error) {
			pc, err := net.ListenPacket(network, address)
			return pc, changed(err, change)
		},
	}
}

func changed(err error, change func(error) error) error {
	if err == nil {
		return nil
	}
	return change(err)
}

// asking is a suite that asks net for another address.
func asking(change func(network, address string) string) suite {
	return suite{
		listen: func(network, address string) (net.Listener, error) {
			return net.Listen(network, change(network, address))
		},
		listenPacket: func(network, address string) (net.PacketConn, error) {
			return net.ListenPacket(network, change(network, address))
		},
	}
}

func allBroken(w *workshop) []broken {
	return slices.Concat(brokenAccepts(w), brokenCloses(w), brokenDeadlines(w),
		brokenConns(w), brokenPackets(w), brokenErrors(w))
}

func TestSuiteNotices(t *testing.T) {
	rows := allBroken(newWorkshop(t))
	outputs := make([]string, len(rows))
	var all sync.WaitGroup // together, as most of them wait for something
	for i, row := range rows {
		all.Go(func() {
			row.suite.Only, row.suite.Timeout, row.suite.blockedAfter = row.only, 3*time.Second, time.Second
			_, outputs[i] = run(row.suite.run)
		})
	}
	all.Wait()
	for i, row := range rows {
		row.mustBeNoticed(t, outputs[i])
	}
}

// mustBeNoticed wants every case to have failed, and for the reason given.
func (b broken) mustBeNoticed(t *testing.T, output string) {
	t.Helper()
	if strings.Contains(output, "--- PASS") || strings.Contains(output, "--- SKIP") || !strings.Contains(output, b.want) {
		t.Errorf("%s: not noticed as %q:\n%s", b.what, b.want, output)
	}
}

func TestEveryCaseHasBeenSeenToFail(t *testing.T) {
	seen := map[string]bool{
		"stream ConnNettest":  true, // another module tests it
		"stream NotPermitted": mayAll(),
	}
	for _, row := range allBroken(newWorkshop(t)) {
		for _, g := range row.suite.groups() {
			for _, c := range g.cases {
				name := kind(g) + " " + c.name
				seen[name] = seen[name] || matches(row.only, g.name+"/"+c.name)
			}
		}
	}
	for _, g := range (suite{listen: net.Listen, listenPacket: net.ListenPacket}).groups() {
		for _, c := range g.cases {
			if !seen[kind(g)+" "+c.name] {
				t.Errorf("%s/%s", g.name, c.name)
			}
		}
	}
}

// kind is what the networks of a group have in common: their cases.
func kind(g group) string {
	switch {
	case strings.Contains(g.name, errorsGroup):
		return g.name
	case slices.Contains(strings.Fields(packetNets), g.name):
		return "packet"
	}
	return "stream"
}

var errBroken = errors.New("broken")
