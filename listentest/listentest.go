// Package listentest tests that a [net.Listener] or a [net.PacketConn] behaves as
// those of package net do. Use it for a type that wraps a listener or replaces one.
//
// [TestListener] calls the function under test, which has the shape of [net.Listen],
// many times, and runs one subtest for each network and promise, such as
// "tcp/CloseTwice". The other end of each connection is made by package net. Where
// the documentation leaves a result open, such as the text of an error, the case
// calls package net with the same arguments and compares. Each case logs the promise
// and where it is made: package net's documentation, POSIX, or [Options].
//
// The smallest program is a test:
//
//	func TestListen(t *testing.T) {
//		listentest.TestListener(t, mypkg.Listen)
//	}
//
// What an implementation can't do is said in [Options]:
//
//	listentest.Options{
//		Skip: map[string]string{"unix*/*": "mypkg.Listen is for TCP"},
//	}.TestListener(t, mypkg.Listen)
//
// Cases run one after the other and share no state. Other listeners in the process
// don't disturb them. A process that accepts from the same socket does.
package listentest

import (
	"net"
	"testing"
	"time"
)

// TestListener tests the listeners that listen returns, and their connections.
func TestListener(t *testing.T, listen func(network, address string) (net.Listener, error)) {
	Options{}.TestListener(t, listen)
}

// TestPacketConn tests the packet conns that listenPacket returns.
func TestPacketConn(t *testing.T, listenPacket func(network, address string) (net.PacketConn, error)) {
	Options{}.TestPacketConn(t, listenPacket)
}

// Options describes what differs from package net. The zero value requires all that
// package net does.
type Options struct {
	// Shared says that a socket stays open after the Close of its listener, because
	// another owner, such as a master process, has it too. Connections then wait in
	// its queue for the next listener on the address. Package net refuses them.
	Shared bool

	// Open returns the number of accepted connections that the implementation counts
	// as open. Nil means that it doesn't count, and skips the case about it.
	Open func() int

	// Only is the pattern, as in [path.Match], of the cases to run: "tcp/*",
	// "*/CloseTwice". Empty means all. A pattern that matches no case is an error.
	Only string

	// Skip has the cases to leave out, as patterns, and the reason for each, which is
	// logged. A pattern that matches no case is an error.
	Skip map[string]string

	// Timeout is how long a call that must return may take. Zero means 10 s.
	Timeout time.Duration
}

// TestListener is the function [TestListener] with options.
func (o Options) TestListener(t *testing.T, listen func(network, address string) (net.Listener, error)) {
	suite{Options: o, listen: listen}.run(testingTB{t})
}

// TestPacketConn is the function [TestPacketConn] with options.
func (o Options) TestPacketConn(t *testing.T, listenPacket func(network, address string) (net.PacketConn, error)) {
	suite{Options: o, listenPacket: listenPacket}.run(testingTB{t})
}

// suite is the functions under test and how to test them.
type suite struct {
	Options
	listen       func(network, address string) (net.Listener, error)   // nil: no stream cases
	listenPacket func(network, address string) (net.PacketConn, error) // nil: no packet cases

	// blockedAfter is how long a call must not return before it is taken for blocked.
	// Zero means 10 ms. The suite's own tests use more.
	blockedAfter time.Duration
}

// run runs the cases of s as subtests of t, in a group for each network.
func (s suite) run(t tb) {
	groups := s.groups()
	for _, complaint := range s.complaints(groups) {
		t.Errorf("%s", complaint)
	}
	for _, g := range groups {
		if cases := s.chosen(g); len(cases) > 0 {
			t.Run(g.name, func(t tb) { s.runGroup(t, g, cases) })
		}
	}
}

func (s suite) runGroup(t tb, g group, cases []testCase) {
	if err := g.probe(); err != nil {
		t.Skipf("package net cannot use %s on this machine: %v", g.name, err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t tb) { s.runCase(t, g, c) })
	}
}

func (s suite) runCase(t tb, g group, c testCase) {
	if reason, skip := s.skip(g.name + "/" + c.name); skip {
		t.Skipf("%s", reason)
	}
	t.Logf("%s", c.says)
	c.run(&trial{tb: t, suite: s, network: g.name})
}
