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

// These tests show that each case can fail. Each row breaks one thing about a listener
// or packet conn, and names the cases that must all fail and a part of their messages.

type broken struct {
	what  string // what is wrong with it
	only  string // the pattern of the cases that must fail
	want  string // a part of their output
	suite suite
}

// A workshop makes broken implementations. It closes what they open, because they may
// not do it themselves.
type workshop struct {
	t    *testing.T
	done chan struct{} // closed when the test ends
}

func newWorkshop(t *testing.T) *workshop {
	w := &workshop{t, make(chan struct{})}
	t.Cleanup(func() { close(w.done) })
	return w
}

// listener returns net.Listen with a change to its listeners.
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

// conn returns net.Listen with connections that are replaced.
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

// harmed is conn with a change in place.
func (w *workshop) harmed(harm func(*fakeConn)) suite {
	return w.conn(func(c *fakeConn) net.Conn { harm(c); return c })
}

// packet returns net.ListenPacket with a change to its packet conns.
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

// failing returns a suite with changed errors of net.Listen and net.ListenPacket.
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

// asking returns a suite that listens on another address than the one given.
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
	var all sync.WaitGroup // run at the same time, because most of them wait
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

// mustBeNoticed checks that every case failed, with the message wanted.
func (b broken) mustBeNoticed(t *testing.T, output string) {
	t.Helper()
	if strings.Contains(output, "--- PASS") || strings.Contains(output, "--- SKIP") || !strings.Contains(output, b.want) {
		t.Errorf("%s: not noticed as %q:\n%s", b.what, b.want, output)
	}
}

func TestEveryCaseHasBeenSeenToFail(t *testing.T) {
	seen := map[string]bool{
		"stream ConnNettest":  true, // TestConn is tested in its own module
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

// kind names the cases that the networks of a group share.
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
