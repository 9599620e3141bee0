package listentest

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

var bindCases = []testCase{
	{"InUse", "POSIX bind: the second bind of an address in one process fails with EADDRINUSE, as with net.Listen.", "", inUse},
	{"InUseElsewhere", "POSIX bind: EADDRINUSE when another socket has the address.", "", inUseElsewhere},
	{"FailureForgotten", "Package net: a failed bind leaves nothing behind; the address can be used as soon as it is free.", "", failureForgotten},
	{"NotLocal", "POSIX bind: EADDRNOTAVAIL when no interface has the address.", tcpNets, notLocal},
	{"NotPermitted", "POSIX bind: EACCES for a privileged port, or a directory without write permission.", byteNets, notPermitted},
	{"PathTooLong", "Package net: a path that does not fit sockaddr_un is an error and is never truncated.", "unix unixpacket", pathTooLong},
	{"PathNoDirectory", "POSIX bind: ENOENT when the directory of the path does not exist.", "unix unixpacket", pathNoDirectory},
	{"PathRegularFile", "POSIX bind: EADDRINUSE when the path exists; a regular file there is left as it is.", "unix unixpacket", pathRegularFile},
}

// wantListenError checks that listening fails with the error of net.Listen for the same
// address. It skips the case if net.Listen succeeds on this machine.
func (t *trial) wantListenError(address string) {
	t.Helper()
	plain, want := net.Listen(t.network, address)
	if want == nil {
		plain.Close()
		t.Skipf("net can listen on %s %s here", t.network, address)
	}
	ln, err := t.tryListen(address)
	if err == nil {
		t.Fatalf("listening on %v succeeded, package net returns: %v", ln.Addr(), want)
	}
	if ln != nil {
		t.Errorf("Listen returned both a listener and an error: %v", ln)
	}
	t.wantSameError(err, want)
}

func inUse(t *trial) {
	ln, address := t.listenFree()
	t.wantListenError(address)
	t.exchange(t.connect(ln))
}

func inUseElsewhere(t *trial) {
	ln := t.plainListen(t.address())
	t.wantListenError(ln.Addr().String())
}

func failureForgotten(t *trial) {
	ln := t.plainListen(t.address())
	address := ln.Addr().String()
	t.wantListenError(address)
	t.connect(ln) // stays open, so that the system gives the port to no other process
	ln.Close()
	t.exchange(t.connect(t.listenOn(address)))
}

// elsewhere returns an address of a network for documentation (RFC 5737, RFC 3849).
func elsewhere(network string) string {
	if strings.HasSuffix(network, "6") {
		return "[2001:db8::1]:0"
	}
	return "203.0.113.1:0"
}

func notLocal(t *trial) { t.wantListenError(elsewhere(t.network)) }

func notPermitted(t *trial) {
	if !t.isUnix() {
		t.wantListenError(strings.TrimSuffix(t.address(), "0") + "1")
		return
	}
	dir := t.dir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatalf("Chmod: %v", err)
	}
	t.wantListenError(filepath.Join(dir, "s"))
}

func pathTooLong(t *trial) {
	dir := t.dir()
	t.wantListenError(filepath.Join(dir, strings.Repeat("long", 50)))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the failed call left files: %v, %v", entries, err)
	}
}

func pathNoDirectory(t *trial) {
	t.wantListenError(filepath.Join(t.dir(), "missing", "s"))
}

func pathRegularFile(t *trial) {
	path := t.address()
	if err := os.WriteFile(path, []byte("contents"), 0o600); err != nil {
		t.Fatalf("no file: %v", err)
	}
	t.wantListenError(path)
	if got, err := os.ReadFile(path); string(got) != "contents" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}

// errorCases are arguments that every network rejects. The error must equal package
// net's.
var errorCases = []testCase{
	refusal("UnknownNetwork", "foo", ":0"),
	refusal("NoNetwork", "", ":0"),
	refusal("PacketNetwork", "udp", "127.0.0.1:0"),
	refusal("NetworkInCapitals", "TCP", "127.0.0.1:0"),
	refusal("MissingPort", "tcp", "127.0.0.1"),
	refusal("NoAddress", "tcp4", "localhost"),
	refusal("UnknownPort", "tcp", "127.0.0.1:nosuchservice"),
	refusal("PortTooBig", "tcp", "127.0.0.1:65536"),
	refusal("PortNegative", "tcp", "127.0.0.1:-1"),
	refusal("TooManyColons", "tcp", "::1:80"),
	refusal("MissingBracket", "tcp", "[::1"),
	refusal("IPv6OnTCP4", "tcp4", "[::1]:0"),
	refusal("IPv4OnTCP6", "tcp6", "127.0.0.1:0"),
}

var packetErrorCases = []testCase{
	packetRefusal("UnknownNetwork", "foo", ":0"),
	packetRefusal("StreamNetwork", "tcp", "127.0.0.1:0"),
	packetRefusal("MissingPort", "udp", "127.0.0.1"),
	packetRefusal("UnknownPort", "udp", "127.0.0.1:nosuchservice"),
	packetRefusal("IPv6OnUDP4", "udp4", "[::1]:0"),
}

const saysSameError = "Package net: the error is a *net.OpError with the text and the errors.Is results of net.Listen."

func refusal(name, network, address string) testCase {
	return testCase{name, saysSameError, "", func(t *trial) {
		t.network = network
		t.wantListenError(address)
	}}
}

func packetRefusal(name, network, address string) testCase {
	return testCase{name, saysSameError, "", func(t *trial) {
		t.network = network
		t.wantPacketError(address)
	}}
}

var packetBindCases = []testCase{
	{"InUse", "POSIX bind: the second bind of an address in one process fails with EADDRINUSE, as with net.ListenPacket.", "", packetInUse},
	{"InUseElsewhere", "POSIX bind: EADDRINUSE when another socket has the address.", "", packetInUseElsewhere},
	{"FailureForgotten", "Package net: a failed bind leaves nothing behind; the address can be used as soon as it is free.", udpNets, packetFailureForgotten},
	{"NotLocal", "POSIX bind: EADDRNOTAVAIL when no interface has the address.", udpNets, packetNotLocal},
	{"PathTooLong", "Package net: a path that does not fit sockaddr_un is an error and is never truncated.", "unixgram", packetPathTooLong},
	{"PathNoDirectory", "POSIX bind: ENOENT when the directory of the path does not exist.", "unixgram", packetPathNoDirectory},
}

// wantPacketError is wantListenError for packet conns.
func (t *trial) wantPacketError(address string) {
	t.Helper()
	plain, want := net.ListenPacket(t.network, address)
	if want == nil {
		plain.Close()
		t.Skipf("net can listen on %s %s here", t.network, address)
	}
	pc, err := t.tryPacketConn(address)
	if err == nil {
		t.Fatalf("listening on %v succeeded, package net returns: %v", pc.LocalAddr(), want)
	}
	if pc != nil {
		t.Errorf("ListenPacket returned both a packet conn and an error: %v", pc)
	}
	t.wantSameError(err, want)
}

func packetInUse(t *trial) {
	pc, address := t.packetConnFree()
	t.wantPacketError(address)
	t.converse(pc, t.peer())
}

func packetInUseElsewhere(t *trial) {
	t.wantPacketError(t.peer().LocalAddr().String())
}

func packetFailureForgotten(t *trial) {
	first := t.peer()
	address := first.LocalAddr().String()
	t.wantPacketError(address)
	first.Close()
	t.converse(t.packetConnOn(address), t.peer())
}

func packetNotLocal(t *trial) { t.wantPacketError(elsewhere(t.network)) }

func packetPathTooLong(t *trial) {
	t.wantPacketError(filepath.Join(t.dir(), strings.Repeat("long", 50)))
}

func packetPathNoDirectory(t *trial) {
	t.wantPacketError(filepath.Join(t.dir(), "missing", "s"))
}
