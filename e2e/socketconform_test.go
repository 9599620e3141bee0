//go:build linux

package e2e

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
	"github.com/rota-go/rota/internal/listentest"
	"golang.org/x/net/nettest"
)

// What rota gives to a worker does what package net's does: the whole suite of
// listentest, and nettest.TestConn, in a worker of a real master.

func init() {
	helpers["conform"] = conform
	helpers["nettest"] = netTest
}

func conform() {
	if rota.IsMaster() {
		serve() // begins the rota, and doesn't return
	}
	status := listentest.Main(os.Stdout, listentest.Suite{Listen: rota.Listen, ListenPacket: rota.ListenPacket, Shared: true}.Run)
	fmt.Println("suite ends:", status)
	serve()
}

func TestSocketConformance(t *testing.T) {
	p := start(t, "conform", quick(1)) // ready is it at the first Accept of the suite
	p.waitLog("suite ends", 1)
	m := regexp.MustCompile(`(?m)^(PASS|FAIL): (\d+) passed, (\d+) failed, (\d+) skipped$`).FindStringSubmatch(p.log.String())
	if m == nil {
		t.Fatalf("no result:\n%s", p.log)
	}
	t.Log(m[0])
	if passed, _ := strconv.Atoi(m[2]); m[1] != "PASS" || passed < 200 {
		t.Errorf("%s:\n%s", m[0], verdicts(p.log.String(), "FAIL"))
	}
	t.Logf("skipped:\n%s", verdicts(p.log.String(), "SKIP"))
}

// verdicts are the cases of a kind, with their log.
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

// netTest is a worker that runs one test of this package: what package testing gives
// its tests can't be had elsewhere.
func netTest() {
	if rota.IsMaster() {
		serve()
	}
	for name, value := range map[string]string{"test.run": "^TestSocketNettestInWorker$", "test.v": "true"} {
		if err := flag.Set(name, value); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("nettest ends:", tests.Run())
	serve()
}

// TestSocketNettestInWorker runs nettest.TestConn on connections that rota has
// accepted.
func TestSocketNettestInWorker(t *testing.T) {
	if !rota.IsWorker() {
		t.Skip("a worker of TestSocketNettest runs it")
	}
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": shortDir(t) + "/s"} {
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

func TestSocketNettest(t *testing.T) {
	p := start(t, "nettest", quick(1))
	p.waitLog("nettest ends", 1)
	if p.log.Count("nettest ends: 0") != 1 || p.log.Count("--- PASS: TestSocketNettestInWorker/unix") == 0 {
		t.Errorf("it failed:\n%s", p.log)
	}
}
