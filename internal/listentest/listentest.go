// Package listentest says what a net.Listener and a net.PacketConn must do, as
// tests: each case carries the sentence of net's documentation or of
// docs/contract.md that it enforces. Whatever plain net.Listen does is right;
// where a case needs to know more than a sentence says, it asks net.Listen for
// the answer while it runs.
//
// In a test:
//
//	listentest.Run(t, net.Listen)
//
// In a process that is not run by go test, such as a worker that the test binary
// impersonates, [Main] takes the place of the *testing.T:
//
//	os.Exit(listentest.Main(os.Stdout, listentest.Suite{Listen: rota.Listen, Shared: true}.Run))
//
// Cases run one after the other, keep no state outside themselves and make every
// listener they need. Other listeners and other suites in the same process do
// not disturb them; other processes that accept from the very same socket do.
package listentest

import (
	"net"
	"testing"
	"time"
)

// ListenFunc has the shape of net.Listen.
type ListenFunc func(network, address string) (net.Listener, error)

// PacketFunc has the shape of net.ListenPacket.
type PacketFunc func(network, address string) (net.PacketConn, error)

// Suite says what is put to the test. The zero value tests nothing.
type Suite struct {
	Listen       ListenFunc // nil: no stream cases
	ListenPacket PacketFunc // nil: no packet cases

	// Shared says that a socket outlives the Close of its listener because someone
	// else, such as a master process, keeps it: what comes after Close waits for the
	// next one who asks for the same address, where plain net.Listen refuses it.
	Shared bool

	// Open is how many accepted connections the implementation counts as open.
	// Nil means that it does not count.
	Open func() int

	// Only is the pattern, as in path.Match, of the cases to run: "tcp/*",
	// "*/CloseTwice". Empty means all. It is an error if no case matches.
	Only string

	// Skip gives reasons by pattern. A pattern that matches no case is an error, so
	// that none outlives the case it was made for.
	Skip map[string]string

	// Patience is how long to wait before something counts as stuck. Zero means 10 s.
	Patience time.Duration

	// belief is how long something must block to be taken for blocked. Zero means
	// 10 ms. The suite's own tests, which must notice, take longer.
	belief time.Duration
}

// Run tests listen.
func Run(t *testing.T, listen ListenFunc) {
	Suite{Listen: listen}.Run(Testing(t))
}

// RunPacket tests listenPacket.
func RunPacket(t *testing.T, listenPacket PacketFunc) {
	Suite{ListenPacket: listenPacket}.Run(Testing(t))
}

// Run runs the cases of s as subtests of t, in a group for each network.
func (s Suite) Run(t T) {
	groups := s.groups()
	for _, complaint := range s.complaints(groups) {
		t.Errorf("%s", complaint)
	}
	for _, g := range groups {
		if cases := s.chosen(g); len(cases) > 0 {
			t.Run(g.name, func(t T) { s.runGroup(t, g, cases) })
		}
	}
}

func (s Suite) runGroup(t T, g group, cases []testCase) {
	if err := g.probe(); err != nil {
		t.Skipf("net has no %s here: %v", g.name, err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t T) { s.runCase(t, g, c) })
	}
}

func (s Suite) runCase(t T, g group, c testCase) {
	if reason, skip := s.skip(g.name + "/" + c.name); skip {
		t.Skipf("%s", reason)
	}
	t.Logf("%s", c.says)
	c.run(&trial{T: t, suite: s, network: g.name})
}
