package listentest

import (
	"fmt"
	"net"
	"strings"
)

var acceptCases = []testCase{
	{"AcceptBlocks", "net.Listener: Accept waits for and returns the next connection to the listener.", "", acceptBlocks},
	{"AcceptOrder", "net.Listener: Accept returns the next connection: those of one listener come in the order in which they were made.", "", acceptOrder},
	{"AcceptAddrs", "net.Conn: LocalAddr returns the local network address, RemoteAddr the remote one: what the client sees, the other way round.", "", acceptAddrs},
	{"AcceptConcurrent", "net.Listener: multiple goroutines may invoke methods on a Listener simultaneously; each connection is given to one of them.", "", acceptConcurrent},
	{"AcceptBacklog", "Connections wait in the socket's queue and none is refused (docs/contract.md#sharing-1).", "", acceptBacklog},
	{"AcceptAfterResets", "What net does: a client that has gone before Accept is no error of the listener.", "", acceptAfterResets},
}

// several is a number of connections, far below what any queue holds.
const several = 8

func acceptBlocks(t *trial) {
	ln := t.listen()
	accept := start(t, "Accept", ln.Accept)
	accept.mustBlock()
	client := t.dial(ln)
	server, err := accept.wait()
	t.accepted(server, err)
	t.exchange(server, client)
}

func acceptOrder(t *trial) {
	ln := t.listen()
	for i := range several {
		t.send(t.dial(ln), fmt.Sprintf("client %d", i))
	}
	for i := range several {
		t.receive(t.accept(ln), fmt.Sprintf("client %d", i))
	}
}

func acceptAddrs(t *trial) {
	server, client := t.pair()
	if got, want := server.LocalAddr(), client.RemoteAddr(); !sameAddr(got, want) {
		t.Errorf("LocalAddr is %T %v, the client's RemoteAddr is %T %v", got, got, want, want)
	}
	// A client on a unix socket has no name, which either end writes in its way.
	if got, want := server.RemoteAddr(), client.LocalAddr(); !sameAddr(got, want) && !t.isUnix() {
		t.Errorf("RemoteAddr is %T %v, the client's LocalAddr is %T %v", got, got, want, want)
	}
	t.wantSameType(server.RemoteAddr())
}

func acceptConcurrent(t *trial) {
	ln := t.listen()
	var accepts []*call[net.Conn]
	for range several {
		accepts = append(accepts, start(t, "Accept", ln.Accept))
	}
	for i := range several {
		t.send(t.dial(ln), fmt.Sprintf("%03d", i))
	}
	seen := map[string]bool{}
	for _, a := range accepts {
		server, err := a.wait()
		t.accepted(server, err)
		seen[t.line(server, 3)] = true
	}
	if len(seen) != several {
		t.Errorf("%d of %d clients were accepted: %v", len(seen), several, seen)
	}
}

func acceptBacklog(t *trial) {
	ln := t.listen()
	var clients []net.Conn
	for range several {
		client := t.dial(ln)
		t.send(client, "early")
		clients = append(clients, client)
	}
	for _, client := range clients {
		server := t.accept(ln)
		t.receive(server, "early")
		t.send(server, "served")
		t.must("Close", server.Close)
		t.receive(client, "served")
	}
}

func acceptAfterResets(t *trial) {
	ln := t.listen()
	for range several {
		t.reset(t.dial(ln))
	}
	t.send(t.dial(ln), "at last")
	for range several + 1 { // those that were reset may be accepted too
		if server := t.accept(ln); strings.HasPrefix(t.line(server, 16), "at last") {
			return
		}
	}
	t.Errorf("the client that stayed was never accepted")
}

// reset closes a connection so that the other end gets a reset, not an end.
func (t *trial) reset(conn net.Conn) {
	t.Helper()
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	if err := conn.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}
