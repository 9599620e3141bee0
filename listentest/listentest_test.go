package listentest

import (
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Package net passes. A failure here is a wrong case.

func TestListen(t *testing.T) { TestListener(t, net.Listen) }

// TestMinimalListener tests a wrapper that has the methods of net.Listener alone.
func TestMinimalListener(t *testing.T) {
	Options{Only: "tcp/*"}.TestListener(t, func(network, address string) (net.Listener, error) {
		ln, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		return struct{ net.Listener }{ln}, nil
	})
}

func TestListenPacket(t *testing.T) { TestPacketConn(t, net.ListenPacket) }

// source matches the start of a sentence that says where a promise is made.
var source = regexp.MustCompile(`^(Package net|POSIX \w+|Options\.\w+|golang\.org/x/net/nettest|net\.\w+|io\.\w+, io\.\w+|io\.\w+|http\.Server|tls\.NewListener|syscall\.Conn)( |: )`)

func TestCasesNameTheirSource(t *testing.T) {
	for _, g := range (suite{listen: net.Listen, listenPacket: net.ListenPacket}).groups() {
		for _, c := range g.cases {
			if !source.MatchString(c.says) || !strings.HasSuffix(c.says, ".") {
				t.Errorf("%s/%s: %q: start with the source of the promise and end with a period", g.name, c.name, c.says)
			}
		}
	}
}

func TestPatternsMustMatch(t *testing.T) {
	for _, s := range []suite{
		{listen: net.Listen, Options: Options{Only: "tcp/NoSuchCase"}},
		{listen: net.Listen, Options: Options{Only: "errors/NoNetwork", Skip: map[string]string{"udp/*": "another suite"}}},
	} {
		if status, output := run(s.run); status != 1 || !strings.Contains(output, "matches no case") {
			t.Errorf("status %d, output:\n%s", status, output)
		}
	}
}

func TestSkip(t *testing.T) {
	s := suite{listen: net.Listen, Options: Options{Only: "errors/No*", Skip: map[string]string{"*/NoNetwork": "a reason"}}}
	status, output := run(s.run)
	if status != 0 || !strings.Contains(output, "a reason") || !strings.Contains(output, "PASS: 1 passed, 0 failed, 1 skipped") {
		t.Errorf("status %d, output:\n%s", status, output)
	}
}

// TestNoDescriptorLeaks checks that a second run leaves no descriptors open.
func TestNoDescriptorLeaks(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite twice more: run without -short")
	}
	if runtime.GOOS != "linux" {
		t.Skip("/proc/self/fd is Linux's")
	}
	suite := suite{listen: net.Listen, listenPacket: net.ListenPacket}
	run(suite.run)
	before := descriptors(t)
	run(suite.run)
	for end := time.Now().Add(10 * time.Second); descriptors(t) > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, %d before", descriptors(t), before)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
