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
	{"AcceptTyped", "net.TCPListener: AcceptTCP accepts the next incoming call and returns the new connection; AcceptUnix is its counterpart. A listener may lack them.", "", acceptTyped},
	{"AcceptConcurrent", "net.Listener: multiple goroutines may invoke methods on a Listener simultaneously; each connection is given to one of them.", "", acceptConcurrent},
	{"AcceptBacklog", "POSIX listen: connections wait in the queue until they are accepted.", "", acceptBacklog},
	{"AcceptAfterResets", "Package net: a client that disconnects before Accept does not make Accept fail.", "", acceptAfterResets},
}

// several is a number of connections that fits every listen queue.
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
	// The address of an unnamed unix client differs between the two ends.
	if got, want := server.RemoteAddr(), client.LocalAddr(); !sameAddr(got, want) && !t.isUnix() {
		t.Errorf("RemoteAddr is %T %v, the client's LocalAddr is %T %v", got, got, want, want)
	}
	t.wantSameType(server.RemoteAddr())
}

func acceptTyped(t *trial) {
	ln := t.listen()
	accept := typedAccept(ln)
	if accept == nil {
		t.Skipf("%T has neither AcceptTCP nor AcceptUnix", ln)
	}
	client := t.dial(ln)
	server, err := soon(t, "AcceptTCP or AcceptUnix", accept)
	if err != nil {
		t.Fatalf("AcceptTCP or AcceptUnix: %v", err)
	}
	t.closeAtEnd("the connection", server)
	t.exchange(server, client)
	other := t.dial(ln) // Accept takes the next one
	t.exchange(t.accept(ln), other)
}

// typedAccept returns a method of ln that returns connections of package net, or nil.
func typedAccept(ln net.Listener) func() (net.Conn, error) {
	switch ln := ln.(type) {
	case interface{ AcceptTCP() (*net.TCPConn, error) }:
		return func() (net.Conn, error) { return ln.AcceptTCP() }
	case interface{ AcceptUnix() (*net.UnixConn, error) }:
		return func() (net.Conn, error) { return ln.AcceptUnix() }
	}
	return nil
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
	t.send(t.dial(ln), "late")
	for range several + 1 { // Accept may also return the reset connections
		if server := t.accept(ln); strings.HasPrefix(t.line(server, 16), "late") {
			return
		}
	}
	t.Errorf("the client that stayed connected was not accepted")
}

// reset closes a connection with RST instead of FIN.
func (t *trial) reset(conn net.Conn) {
	t.Helper()
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	if err := conn.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}
