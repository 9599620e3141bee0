package listentest

import (
	"net"
	"strings"
)

var addrCases = []testCase{
	{"Addr", "net.Listener: Addr returns the listener's network address. The Addr method of Listener can be used to discover the chosen port.", "", addr},
	{"AddrAfterClose", "Package net: Addr returns the same address after Close.", "", addrAfterClose},
	{"AddrExplicit", "net.Listen: it listens on the address it was asked for, the port included.", "", addrExplicit},
	{"AddrWildcard", "net.Listen: if the host is empty, Listen listens on all available addresses of the local system.", tcpNets, addrWildcard},
	{"AddrEmpty", "net.Listen: if the port is empty, as in \"127.0.0.1:\", a port number is automatically chosen.", tcpNets, addrEmpty},
}

func addr(t *trial) {
	address := t.address()
	t.checkAddr(t.listenOn(address).Addr(), address)
}

// checkAddr checks that got is the address asked, with a chosen port if it asks for 0.
func (t *trial) checkAddr(got net.Addr, asked string) {
	t.Helper()
	want := strings.TrimRight(t.network, "46")
	if got == nil || got.Network() != want {
		t.Fatalf("Addr is %v, want one of network %s", got, want)
	}
	if host, ok := strings.CutSuffix(asked, ":0"); ok {
		t.wantChosenPort(got.String(), host)
	} else if got.String() != asked {
		t.Errorf("Addr is %s, want %s", got, asked)
	}
	t.wantSameType(got)
}

func (t *trial) wantChosenPort(got, host string) {
	t.Helper()
	port, ok := strings.CutPrefix(got, host+":")
	if !ok || port == "0" || port == "" {
		t.Errorf("Addr is %s, want %s and a port that is not 0", got, host)
	}
}

// wantSameType checks that got has package net's type, such as *net.TCPAddr, which
// programs assert.
func (t *trial) wantSameType(got net.Addr) {
	t.Helper()
	var ok bool
	switch {
	case t.isUnix():
		_, ok = got.(*net.UnixAddr)
	case strings.HasPrefix(t.network, "udp"):
		_, ok = got.(*net.UDPAddr)
	default:
		_, ok = got.(*net.TCPAddr)
	}
	if !ok {
		t.Errorf("Addr is a %T, which is not what package net has for %s", got, t.network)
	}
}

func addrAfterClose(t *trial) {
	ln := t.listen()
	before := ln.Addr().String()
	t.must("Close", ln.Close)
	if after := ln.Addr(); after == nil || after.String() != before {
		t.Errorf("Addr is %v after Close, %s before", after, before)
	}
}

func addrExplicit(t *trial) {
	ln, address := t.listenFree()
	t.checkAddr(ln.Addr(), address)
	t.exchange(t.connect(ln))
}

func addrWildcard(t *trial) {
	plain, ln := t.plainListen(":0"), t.listenOn(":0")
	if got, want := hostOf(ln), hostOf(plain); got != want {
		t.Fatalf("Addr has host %s, net's has %s", got, want)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_, plainPort, _ := net.SplitHostPort(plain.Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		if _, err := t.tryDial(net.JoinHostPort(host, plainPort)); err != nil {
			continue // package net's listener has no address of this family either
		}
		t.dialTo(net.JoinHostPort(host, port))
		t.accept(ln)
	}
}

func hostOf(ln net.Listener) string {
	host, _, _ := net.SplitHostPort(ln.Addr().String())
	return host
}

func addrEmpty(t *trial) {
	host := strings.TrimSuffix(anyAddress(t.network, ""), ":0")
	t.checkAddr(t.listenOn(host+":").Addr(), host+":0")
}
