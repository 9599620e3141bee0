//go:build linux

package socket

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/internal/e2etest"
	"github.com/rota-go/rota/internal/e2etest/server"
	"github.com/rota-go/rota/internal/listentest"
	"golang.org/x/net/nettest"
)

// conform is a worker that runs the suite of listentest.
func conform() {
	if rota.IsMaster() {
		server.Serve() // becomes the master and doesn't return
	}
	status := listentest.Main(os.Stdout, listentest.Suite{Listen: rota.Listen, ListenPacket: rota.ListenPacket, Shared: true}.Run)
	fmt.Println("suite ends:", status)
	server.Serve()
}

func TestConformance(t *testing.T) {
	p := e2etest.Start(t, "conform", server.Quick(1)) // ready at the first Accept of the suite
	p.WaitOutput("suite ends", 1)
	m := regexp.MustCompile(`(?m)^(PASS|FAIL): (\d+) passed, (\d+) failed, (\d+) skipped$`).FindStringSubmatch(p.Log.String())
	if m == nil {
		t.Fatalf("no result:\n%s", p.Log)
	}
	t.Log(m[0])
	if passed, _ := strconv.Atoi(m[2]); m[1] != "PASS" || passed < 200 {
		t.Errorf("%s:\n%s", m[0], verdicts(p.Log.String(), "FAIL"))
	}
	t.Logf("skipped:\n%s", verdicts(p.Log.String(), "SKIP"))
}

// verdicts returns the cases with that result, and their output.
func verdicts(log, kind string) string {
	var lines []string
	on := false
	for _, line := range strings.Split(log, "\n") {
		if strings.HasPrefix(line, "--- ") {
			on = strings.HasPrefix(line, "--- "+kind)
		}
		if on {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// netTest is a worker that runs one test of this package, because nettest needs a
// testing.T.
func netTest() {
	if rota.IsMaster() {
		server.Serve()
	}
	for name, value := range map[string]string{"test.run": "^TestNettestInWorker$", "test.v": "true"} {
		if err := flag.Set(name, value); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("nettest ends:", tests.Run())
	server.Serve()
}

// TestNettestInWorker runs nettest.TestConn on connections that rota has
// accepted.
func TestNettestInWorker(t *testing.T) {
	if !rota.IsWorker() {
		t.Skip("a worker of TestNettest runs it")
	}
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": e2etest.ShortDir(t) + "/s"} {
		t.Run(network, func(t *testing.T) { testConn(t, network, address) })
	}
}

func testConn(t *testing.T, network, address string) {
	ln, err := rota.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c2, err = net.Dial(network, ln.Addr().String())
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

func TestNettest(t *testing.T) {
	p := e2etest.Start(t, "nettest", server.Quick(1))
	p.WaitOutput("nettest ends", 1)
	if p.Log.Count("nettest ends: 0") != 1 || p.Log.Count("--- PASS: TestNettestInWorker/unix") == 0 {
		t.Errorf("nettest failed:\n%s", p.Log)
	}
}
